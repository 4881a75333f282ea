/* SPDX-License-Identifier: Apache-2.0
 * kong.service.set_tls_*: where the reference takes cdata of OpenSSL, these take PEM text. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "plugin/pdk_part.h"

#define DEPTH_MAX 100

static struct exchange_tls *tls_of(lua_State *L)
{
	return &pdk_exchange(L)->upstream.tls;
}

static int push_true(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

/* A key under a pass phrase is not asked for one. */
static int no_pass_phrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static BIO *bio_of(struct str pem)
{
	return pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

static X509 *read_certificate(struct str pem)
{
	BIO *bio = bio_of(pem);
	X509 *ret = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL) : NULL;

	BIO_free(bio);
	return ret;
}

static EVP_PKEY *read_key(struct str pem)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *ret = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL)
				    : NULL;

	BIO_free(bio);
	return ret;
}

/* NULL, or what is wrong with them. */
static const char *check_pair(struct str chain, struct str key)
{
	X509 *certificate = read_certificate(chain);
	EVP_PKEY *private_key = read_key(key);
	const char *text = NULL;

	if (certificate == NULL)
		text = "chain is not a certificate in PEM form";
	else if (private_key == NULL)
		text = "key is not a private key in PEM form";
	else if (X509_check_private_key(certificate, private_key) != 1)
		text = "key does not belong to the first certificate of chain";
	X509_free(certificate);
	EVP_PKEY_free(private_key);
	ERR_clear_error();
	return text;
}

static int set_tls_cert_key(lua_State *L)
{
	struct str chain = pdk_check_str(L, 1, "chain must be a string in PEM form");
	struct str key = pdk_check_str(L, 2, "key must be a string in PEM form");
	const char *text;

	vm_host_enter(L);
	text = check_pair(chain, key);
	vm_host_leave(L);
	if (text != NULL)
		return pdk_fail(L, "%s", text);
	chain = pdk_keep(L, chain);
	key = pdk_keep(L, key);
	tls_of(L)->cert_pem = chain;
	tls_of(L)->key_pem = key;
	return push_true(L);
}

static int set_tls_verify(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TBOOLEAN)
		return luaL_error(L, "argument must be a boolean");
	tls_of(L)->verify = lua_toboolean(L, 1) ? EXCHANGE_TLS_VERIFY : EXCHANGE_TLS_NO_VERIFY;
	return push_true(L);
}

static int set_tls_verify_depth(lua_State *L)
{
	double depth = pdk_check_number(L, 1, "argument must be a number");

	if (!(depth >= 0 && depth <= DEPTH_MAX) || depth != (int)depth)
		return luaL_error(L, "argument must be an integer between 0 and %d", DEPTH_MAX);
	tls_of(L)->has_verify_depth = true;
	tls_of(L)->verify_depth = (uint32_t)depth;
	return push_true(L);
}

static int set_tls_verify_store(lua_State *L)
{
	struct str store = pdk_check_str(L, 1, "argument must be certificates in PEM form");
	X509 *first;

	vm_host_enter(L);
	first = read_certificate(store);
	X509_free(first);
	ERR_clear_error();
	vm_host_leave(L);
	if (first == NULL)
		return pdk_fail(L, "argument holds no certificate in PEM form");
	tls_of(L)->ca_pem = pdk_keep(L, store);
	return push_true(L);
}

/* The scheme of the try at hand. */
static int disable_tls(lua_State *L)
{
	pdk_exchange(L)->upstream.scheme = STR("http");
	return push_true(L);
}

static int enable_tls(lua_State *L)
{
	pdk_exchange(L)->upstream.scheme = STR("https");
	return push_true(L);
}

/* clang-format off */
#define SERVICE_TLS_FUNCTIONS(X) \
	X("set_tls_cert_key", set_tls_cert_key, PDK_RABP, VM_LAX, "client certificate chain and its key towards the service, PEM text; true, or nil and an error") \
	X("set_tls_verify", set_tls_verify, PDK_RABP, VM_LAX, "whether the service's certificate is verified") \
	X("set_tls_verify_depth", set_tls_verify_depth, PDK_RABP, VM_LAX, "how many intermediate certificates may stand between the service's and an authority's") \
	X("set_tls_verify_store", set_tls_verify_store, PDK_RABP, VM_LAX, "certificates of the authorities the service's is verified by, PEM text")

#define REQUEST_TLS_FUNCTIONS(X) \
	X("disable_tls", disable_tls, PDK_PREREAD | PDK_BALANCER, VM_LAX, "the next try speaks plain text") \
	X("enable_tls", enable_tls, PDK_PREREAD | PDK_BALANCER, VM_LAX, "the next try speaks TLS")
/* clang-format on */

void pdk_open_service_tls(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {SERVICE_TLS_FUNCTIONS(PDK_ROW)};

	static const struct pdk_function request[] = {REQUEST_TLS_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.service", functions, PDK_COUNT(functions));
	pdk_register(L, env_index, "kong.service.request", request, PDK_COUNT(request));
}
