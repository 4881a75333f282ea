/* SPDX-License-Identifier: Apache-2.0
 * kong.client.tls: where the reference takes cdata of OpenSSL, this takes PEM text. */
#include "plugin/pdk_part.h"

static int push_true(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

static int request_client_certificate(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	const char *why = "the host has no TLS";
	struct str ca = STR_NONE;

	if (!lua_isnoneornil(L, 1))
		ca = pdk_check_str(L, 1, "ca_certs must be certificates in PEM form");
	vm_host_enter(L);
	if (x->ops != NULL && x->ops->request_client_cert != NULL)
		why = x->ops->request_client_cert(x, ca);
	vm_host_leave(L);
	return why == NULL ? push_true(L) : pdk_fail(L, "%s", why);
}

static int disable_session_reuse(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	if (x->ops == NULL || x->ops->disable_session_reuse == NULL)
		return pdk_fail(L, "the host has no TLS");
	x->ops->disable_session_reuse(x);
	return push_true(L);
}

static int get_full_client_certificate_chain(lua_State *L)
{
	struct str chain;

	vm_host_enter(L);
	chain = exchange_client_cert(pdk_exchange(L), CLIENT_CERT_CHAIN);
	vm_host_leave(L);
	pdk_push_str(L, chain);
	return 1;
}

static int set_client_verify(lua_State *L)
{
	struct str v = pdk_check_str(L, 1, "v must be a string");

	if (!str_eq(v, STR("SUCCESS")) && !str_eq(v, STR("NONE")) && !str_starts(v, STR("FAILED:")))
		return luaL_error(L,
				"unknown client verify value: %s accepted values are: \"SUCCESS\", "
				"\"NONE\" and \"FAILED:<reason>\"",
				v.p);
	pdk_exchange(L)->client_verify = pdk_keep(L, v);
	return 0;
}

/* clang-format off */
#define TLS_PHASES (PDK_REWRITE | PDK_ACCESS | PDK_RESPONSE | PDK_BALANCER)
#define CLIENT_TLS_FUNCTIONS(X) \
	X("request_client_certificate", request_client_certificate, PDK_CERTIFICATE, VM_LAX, "asks the client for a certificate, which may be any; with ca_certs (PEM text) it hears whose, and is verified by them") \
	X("disable_session_reuse", disable_session_reuse, PDK_CERTIFICATE, VM_LAX, "the session will not be resumed: the next handshake runs this phase again") \
	X("get_full_client_certificate_chain", get_full_client_certificate_chain, TLS_PHASES | PDK_LOG, VM_LAX, "the client's certificate and what it sent with it, PEM text, or nil") \
	X("set_client_verify", set_client_verify, TLS_PHASES, VM_LAX, "what the log says of the client's certificate: SUCCESS, NONE or FAILED:<reason>")
/* clang-format on */

void pdk_open_client_tls(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {CLIENT_TLS_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.client.tls", functions, PDK_COUNT(functions));
}
