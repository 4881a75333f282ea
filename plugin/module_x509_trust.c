/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of certificates: reading them, checking signatures and chains. */
#include "plugin/module_part.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "plugin/module_facts.h"
#include "plugin/module_key.h"
#include "plugin/module_x509.h"

#define TRUST_MAX 64 /* certificates and lists in one check of a chain */
#define DEPTH_MAX 16
/* Measured: a signature of RSA 4096 takes 75 to 280 µs, of P-256 70, of a prime curve of 512 bits
 * 1,100, of sect571r1 3,500. */
#define READ_NS 100000U
#define RSA_STEP_NS 20000U   /* for every 1,024 bits, squared */
#define CURVE_STEP_NS 20000U /* for every 64 bits, squared */
#define BINARY_CURVE_FACTOR 3
#define OTHER_FACTOR 8

static enum x509_kind check_kind(lua_State *L, int arg)
{
	static const char *const kinds[] = {"certificate", "request", "list", NULL};

	return (enum x509_kind)luaL_checkoption(L, arg, NULL, kinds);
}

/* x509_read(kind, PEM or DER): what it says; nil: it is none, or is too large. */
static int read_any(lua_State *L)
{
	enum x509_kind kind = check_kind(L, 1);
	struct str s = ngx_check_text(L, 2, false);

	vm_host_enter(L);
	x509_describe(kind, s);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* x509_name(DER): list of {id, nid, sn, ln, blob}, or nil. */
static int read_name(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);

	vm_host_enter(L);
	x509_describe_name(s);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* x509_altname(DER): list of {kind, value}, or nil. */
static int read_altname(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);

	vm_host_enter(L);
	x509_describe_altname(s);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

static bool is_signed_by(enum x509_kind kind, struct str text, EVP_PKEY *key)
{
	X509 *certificate = kind == X509_CERTIFICATE ? x509_read_certificate(text) : NULL;
	X509_REQ *request = kind == X509_REQUEST ? x509_read_request(text) : NULL;
	X509_CRL *list = kind == X509_LIST ? x509_read_list(text) : NULL;
	int r = 0;

	if (certificate != NULL)
		r = X509_verify(certificate, key);
	else if (request != NULL)
		r = X509_REQ_verify(request, key);
	else if (list != NULL)
		r = X509_CRL_verify(list, key);
	X509_free(certificate);
	X509_REQ_free(request);
	X509_CRL_free(list);
	return r == 1;
}

/* x509_verify(kind, DER, key): boolean. */
static int verify_signature(lua_State *L)
{
	enum x509_kind kind = check_kind(L, 1);
	struct str s = ngx_check_text(L, 2, false), der = module_check_key(L, 3);
	bool is_private, is_good;
	EVP_PKEY *key;

	vm_host_enter(L);
	key = key_get(der, &is_private);
	is_good = key != NULL && is_signed_by(kind, s, key);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	lua_pushboolean(L, is_good);
	return 1;
}

/* A chain to be checked: slices of Lua strings in tables on the stack. */
struct trust {
	struct str leaf, roots[TRUST_MAX], between[TRUST_MAX], lists[TRUST_MAX];
	size_t n_roots, n_between, n_lists;
	const char *host, *purpose;
	lua_Integer depth, flags, time;
	uint64_t left_ns;  /* of CPU time */
	uint64_t worst_ns; /* of one signature, by any of their keys */
};

/* A list of strings in field `name` of the table at `arg`. */
static size_t check_list(lua_State *L, int arg, const char *name, struct str *ret)
{
	size_t n;

	lua_getfield(L, arg, name);
	if (!lua_istable(L, -1))
		return lua_pop(L, 1), 0;
	n = lua_objlen(L, -1);
	if (n > TRUST_MAX)
		luaL_error(L, "at most 64 certificates of a kind");
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (int)i + 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "certificates expected");
		ret[i].p = lua_tolstring(L, -1, &ret[i].n);
		lua_pop(L, 1); /* the table keeps it */
	}
	lua_pop(L, 1);
	return n;
}

static lua_Integer integer_of(lua_State *L, int arg, const char *name, lua_Integer otherwise)
{
	lua_Integer v;

	lua_getfield(L, arg, name);
	v = lua_type(L, -1) == LUA_TNUMBER ? lua_tointeger(L, -1) : otherwise;
	lua_pop(L, 1);
	return v;
}

static const char *text_of(lua_State *L, int arg, const char *name)
{
	const char *text;

	lua_getfield(L, arg, name);
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	lua_pop(L, 1);
	return text;
}

static uint64_t squared(int bits, int step)
{
	uint64_t n = (uint64_t)(bits / step) + 1;

	return n * n;
}

/* By the curve's name: OpenSSL 3.0 tells no field type of keys on named curves. */
static bool is_on_binary_curve(const EVP_PKEY *key)
{
	char name[64];
	size_t n = 0;
	EC_GROUP *group;
	bool is_binary;

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &n) != 1)
		return true;
	group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(name));
	is_binary = group == NULL || EC_GROUP_get_field_type(group) != NID_X9_62_prime_field;
	EC_GROUP_free(group);
	return is_binary;
}

static uint64_t signature_ns(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return squared(bits - 1, 1024) * RSA_STEP_NS;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return squared(bits, bits > 1024 ? 1024 : 64) * RSA_STEP_NS * OTHER_FACTOR;
	if (is_on_binary_curve(key))
		return squared(bits, 64) * CURVE_STEP_NS * BINARY_CURVE_FACTOR;
	return squared(bits, 64) * CURVE_STEP_NS;
}

/* Its key may have to check a signature; false: it is too large a key. */
static bool weigh(struct trust *t, const X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	uint64_t ns;

	if (key == NULL)
		return true; /* nothing is verified by it */
	ns = signature_ns(key);
	if (ns > t->worst_ns)
		t->worst_ns = ns;
	return EVP_PKEY_get_bits(key) <= KEY_BITS_MAX;
}

/* A chain of all there are, at its longest, and every list: nothing stops it half-way. */
static bool fits(const struct trust *t)
{
	uint64_t n = t->n_roots + t->n_between + 1;
	uint64_t signatures = (n < DEPTH_MAX + 1 ? n : DEPTH_MAX + 1) + t->n_lists;

	return (n + t->n_lists) * READ_NS + signatures * t->worst_ns < t->left_ns;
}

static bool fill_store(X509_STORE *store, struct trust *t)
{
	bool is_good = true;

	for (size_t i = 0; i < t->n_roots && is_good; i++) {
		X509 *x = x509_read_certificate(t->roots[i]);

		is_good = x != NULL && weigh(t, x) && X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	for (size_t i = 0; i < t->n_lists && is_good; i++) {
		X509_CRL *x = x509_read_list(t->lists[i]);

		is_good = x != NULL && X509_STORE_add_crl(store, x) == 1;
		X509_CRL_free(x);
	}
	return is_good;
}

static STACK_OF(X509) * read_between(struct trust *t)
{
	STACK_OF(X509) *all = sk_X509_new_null();

	for (size_t i = 0; all != NULL && i < t->n_between; i++) {
		X509 *x = x509_read_certificate(t->between[i]);

		if (x != NULL && (!weigh(t, x) || sk_X509_push(all, x) == 0))
			X509_free(x);
	}
	return all;
}

/* No policies: they can cost exponentially. */
static bool set_conditions(X509_STORE_CTX *ctx, const struct trust *t)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	unsigned long allowed = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
				X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN |
				X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_NO_CHECK_TIME |
				X509_V_FLAG_CHECK_SS_SIGNATURE;

	X509_VERIFY_PARAM_set_flags(param, (unsigned long)t->flags & allowed);
	X509_VERIFY_PARAM_set_depth(
			param, t->depth >= 0 && t->depth < DEPTH_MAX ? (int)t->depth : DEPTH_MAX);
	if (t->time != 0)
		X509_VERIFY_PARAM_set_time(param, (time_t)t->time);
	if (t->host != NULL && X509_VERIFY_PARAM_set1_host(param, t->host, 0) != 1)
		return false;
	return t->purpose == NULL ||
	       X509_STORE_CTX_set_purpose(
			       ctx, X509_PURPOSE_get_id(X509_PURPOSE_get0(
						    X509_PURPOSE_get_by_sname(t->purpose)))) == 1;
}

static void note_chain(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int n = chain != NULL ? sk_X509_num(chain) : 0;

	facts_open("chain");
	for (int i = 0; i < n; i++) {
		unsigned char *der = NULL;
		int der_n = i2d_X509(sk_X509_value(chain, i), &der);

		if (der_n > 0)
			facts_bytes(NULL, der, (size_t)der_n);
		OPENSSL_free(der);
	}
	facts_close();
}

static void check_chain(struct trust *t)
{
	X509 *leaf = x509_read_certificate(t->leaf);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *between = read_between(t);
	bool is_good = false;

	facts_begin();
	if (leaf == NULL || store == NULL || ctx == NULL || between == NULL ||
			!fill_store(store, t) ||
			X509_STORE_CTX_init(ctx, store, leaf, between) != 1 ||
			!set_conditions(ctx, t))
		facts_text("error", "a certificate or list cannot be used");
	else if (!fits(t))
		facts_text("error",
				"it would take more CPU time than is left (plugin_limits_cpu_ms)");
	else
		is_good = X509_verify_cert(ctx) == 1;
	facts_boolean("is_good", is_good);
	if (is_good)
		note_chain(ctx);
	else if (ctx != NULL && X509_STORE_CTX_get_error(ctx) != X509_V_OK)
		facts_text("error", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	sk_X509_pop_free(between, X509_free);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(leaf);
	ERR_clear_error();
}

/* x509_trust(DER, {roots, between, lists, depth, flags, time, purpose, host}): {is_good, error,
 * chain}. */
static int trust(lua_State *L)
{
	struct trust t = {.leaf = ngx_check_text(L, 1, false)};

	luaL_checktype(L, 2, LUA_TTABLE);
	t.n_roots = check_list(L, 2, "roots", t.roots);
	t.n_between = check_list(L, 2, "between", t.between);
	t.n_lists = check_list(L, 2, "lists", t.lists);
	t.depth = integer_of(L, 2, "depth", DEPTH_MAX);
	t.flags = integer_of(L, 2, "flags", 0);
	t.time = integer_of(L, 2, "time", 0);
	t.purpose = text_of(L, 2, "purpose");
	t.host = text_of(L, 2, "host");
	if (t.purpose != NULL && X509_PURPOSE_get_by_sname(t.purpose) < 0)
		return luaL_error(L, "unknown purpose");
	t.left_ns = vm_cpu_left_ns(L);
	vm_host_enter(L);
	check_chain(&t);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* object(text): {id, nid, sn, ln} of a name or dotted number, nil: unknown. */
static int find_object(lua_State *L)
{
	const char *text = lua_isnumber(L, 1) && lua_type(L, 1) == LUA_TNUMBER
					   ? OBJ_nid2sn((int)lua_tointeger(L, 1))
					   : luaL_checkstring(L, 1);
	ASN1_OBJECT *object = NULL;
	char oid[128];
	int nid;

	vm_host_enter(L);
	facts_begin();
	if (text != NULL && strlen(text) < sizeof(oid))
		object = OBJ_txt2obj(text, 0);
	nid = object != NULL ? OBJ_obj2nid(object) : NID_undef;
	if (object == NULL || OBJ_obj2txt(oid, sizeof(oid), object, 1) <= 0)
		facts_fail();
	else
		facts_text("id", oid);
	facts_integer("nid", nid);
	facts_text("sn", nid != NID_undef ? OBJ_nid2sn(nid) : text);
	facts_text("ln", nid != NID_undef ? OBJ_nid2ln(nid) : text);
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* asn1_time(text): seconds since 1970, nil: neither UTCTime nor GeneralizedTime (RFC 5280). */
static int read_time(lua_State *L)
{
	const char *text = luaL_checkstring(L, 1);
	ASN1_TIME *t;
	struct tm tm;
	bool is_good;

	vm_host_enter(L);
	t = ASN1_TIME_new();
	is_good = t != NULL && strlen(text) < 32 && ASN1_TIME_set_string(t, text) == 1 &&
		  ASN1_TIME_to_tm(t, &tm) == 1;
	ASN1_TIME_free(t);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_good)
		return lua_pushnil(L), 1;
	lua_pushnumber(L, (lua_Number)timegm(&tm));
	return 1;
}

const luaL_Reg module_x509_functions[] = {
		{"x509_read", read_any},
		{"x509_name", read_name},
		{"x509_altname", read_altname},
		{"x509_verify", verify_signature},
		{"x509_trust", trust},
		{"object", find_object},
		{"asn1_time", read_time},
		{NULL, NULL},
};
