/* SPDX-License-Identifier: Apache-2.0
 * Where more about a certificate is to be had: Authority Information Access and CRL Distribution
 * Points (RFC 5280, sections 4.2.1.13 and 4.2.2.1), as facts. */
#include "plugin/module_part.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "plugin/module_facts.h"
#include "plugin/module_x509.h"

void x509_describe_access(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	AUTHORITY_INFO_ACCESS *all =
			der.n <= X509_TEXT_MAX ? d2i_AUTHORITY_INFO_ACCESS(NULL, &p, (long)der.n)
					       : NULL;
	int n = all != NULL ? sk_ACCESS_DESCRIPTION_num(all) : 0;

	facts_begin();
	if (all == NULL)
		facts_fail();
	for (int i = 0; i < n && !facts_is_failed(); i++) {
		const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(all, i);

		facts_open(NULL);
		x509_note_object(one->method);
		facts_open("place");
		x509_note_general_name(one->location);
		facts_close();
		facts_close();
	}
	AUTHORITY_INFO_ACCESS_free(all);
	ERR_clear_error();
}

static void note_point(const DIST_POINT *point)
{
	const DIST_POINT_NAME *name = point->distpoint;
	const GENERAL_NAMES *all = name != NULL && name->type == 0 ? name->name.fullname : NULL;

	facts_open(NULL);
	for (int i = 0; all != NULL && i < sk_GENERAL_NAME_num(all) && !facts_is_failed(); i++)
		x509_note_general_name(sk_GENERAL_NAME_value(all, i));
	facts_close();
}

void x509_describe_points(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	CRL_DIST_POINTS *all =
			der.n <= X509_TEXT_MAX ? d2i_CRL_DIST_POINTS(NULL, &p, (long)der.n) : NULL;
	int n = all != NULL ? sk_DIST_POINT_num(all) : 0;

	facts_begin();
	if (all == NULL)
		facts_fail();
	for (int i = 0; i < n && !facts_is_failed(); i++)
		note_point(sk_DIST_POINT_value(all, i));
	CRL_DIST_POINTS_free(all);
	ERR_clear_error();
}

/* x509_access(DER): list of {id, nid, sn, ln, place = {{kind, value}}}, or nil. */
static int read_access(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);

	vm_host_enter(L);
	x509_describe_access(s);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* x509_points(DER): list of lists of {kind, value}, or nil. */
static int read_points(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);

	vm_host_enter(L);
	x509_describe_points(s);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

const luaL_Reg module_x509_access_functions[] = {
		{"x509_access", read_access},
		{"x509_points", read_points},
		{NULL, NULL},
};
