/* SPDX-License-Identifier: Apache-2.0 */
#include "control/certificate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "control/write.h"

#define SHA256_BYTES 32

static const char *text_of(const json_t *entity, const char *field)
{
	const char *s = json_string_value(json_object_get(entity, field));

	return s != NULL ? s : "";
}

/* Nobody is asked for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf, (void)size, (void)is_writing, (void)arg;
	return -1;
}

/* The number-th certificate of a PEM text, from 0; NULL. */
static X509 *certificate_read(const char *pem, unsigned number)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = NULL;

	for (unsigned i = 0; bio != NULL && i <= number; i++) {
		X509_free(x);
		x = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
	}
	BIO_free(bio);
	ERR_clear_error();
	return x;
}

static EVP_PKEY *key_read(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL)
				    : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

void certificate_prepare(enum entity_type type, json_t *input)
{
	uint8_t sha[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	X509 *x;

	if (type != ENTITY_CA_CERTIFICATES || !json_is_string(json_object_get(input, "cert")))
		return;
	x = certificate_read(text_of(input, "cert"), 0);
	if (x != NULL && X509_digest(x, EVP_sha256(), sha, NULL) == 1) {
		hex_encode(sha, sizeof(sha), hex);
		json_object_set_new(input, "cert_digest", json_string(hex));
	}
	X509_free(x);
}

static int refuse(struct op *op, const char *message)
{
	fault_schema(&op->fault, json_pack("{s:[s]}", "@entity", message));
	return OP_E_REFUSED;
}

static bool is_reference(const char *s)
{
	return strncmp(s, "{vault://", 9) == 0;
}

/* The type of key, 0 where there is no pair to look at; -1: they do not belong together. */
static int pair_type(const json_t *entity, const char *cert_field, const char *key_field)
{
	const char *cert = text_of(entity, cert_field), *key = text_of(entity, key_field);
	X509 *x = NULL;
	EVP_PKEY *k = NULL;
	int type = 0;

	if (cert[0] != '\0' && !is_reference(cert) && !is_reference(key)) {
		x = certificate_read(cert, 0);
		k = key_read(key);
		type = x != NULL && k != NULL && X509_check_private_key(x, k) == 1
				       ? EVP_PKEY_get_base_id(k)
				       : -1;
	}
	X509_free(x);
	EVP_PKEY_free(k);
	ERR_clear_error();
	return type;
}

static int check_pairs(struct op *op, const json_t *entity)
{
	int type = pair_type(entity, "cert", "key");
	int alt = pair_type(entity, "cert_alt", "key_alt");

	if (type < 0)
		return refuse(op, "certificate does not match key");
	if (alt < 0)
		return refuse(op, "alternative certificate does not match key");
	if (alt != 0 && alt == type)
		return refuse(op,
				"certificate and alternative certificate need to have different "
				"type (e.g. RSA and ECDSA), the provided certificates were both of "
				"the same type");
	return 0;
}

static int check_authority(struct op *op, const json_t *entity)
{
	const char *pem = text_of(entity, "cert");
	X509 *x = certificate_read(pem, 0), *second = certificate_read(pem, 1);
	const char *message = NULL;

	if (second != NULL)
		message = "please submit only one certificate at a time";
	else if (x != NULL && X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		message = "certificate expired, \"Not After\" time is in the past";
	else if (x != NULL && X509_check_ca(x) != 1)
		message = "certificate does not appear to be a CA because it is missing the \"CA\" "
			  "basic constraint";
	X509_free(x);
	X509_free(second);
	ERR_clear_error();
	return message != NULL ? refuse(op, message) : 0;
}

static int check_authorities_exist(struct op *op, const json_t *entity)
{
	const json_t *id;
	size_t i;

	json_array_foreach (json_object_get(entity, "ca_certificates"), i, id) {
		struct store_entity there;
		int r = store_get(op->txn, entity_def(ENTITY_CA_CERTIFICATES)->kind,
				json_string_value(id), &there);

		if (r < 0)
			return op_store(op, r);
		if (r == STORE_E_NONE) {
			fault_field(&op->fault, "ca_certificates",
					"the following CA Certificates do not exist: %s",
					json_string_value(id));
			return OP_E_REFUSED;
		}
	}
	return 0;
}

int certificate_check(struct op *op, enum entity_type type, const json_t *entity)
{
	if (type == ENTITY_CERTIFICATES)
		return check_pairs(op, entity);
	if (type == ENTITY_CA_CERTIFICATES)
		return check_authority(op, entity);
	return type == ENTITY_SERVICES ? check_authorities_exist(op, entity) : 0;
}

int certificate_check_unused(struct op *op, enum entity_type type, const char *id)
{
	struct store_ref ref = {entity_def(ENTITY_SERVICES)->kind, CERTIFICATE_CA_REF_FIELD, id};
	char child[UUID_TEXT_BYTES];
	int r;

	if (type != ENTITY_CA_CERTIFICATES)
		return 0;
	r = store_ref_next(op->txn, &ref, "", child);
	if (r != 0)
		return r == STORE_E_NONE ? 0 : op_store(op, r);
	fault_set(&op->fault, FAULT_REFERENCED_BY_OTHERS, json_pack("{s:s}", "services", child),
			"ca_certificate %s is still referenced by services (id = %s)", id, child);
	return OP_E_REFUSED;
}

/* ---- the names of a certificate ---- */

int certificate_snis_take(struct op *op, enum entity_type type, json_t *input, json_t **ret)
{
	json_t *names = json_object_get(input, "snis"), *name;
	size_t i;

	*ret = NULL;
	if (type != ENTITY_CERTIFICATES || names == NULL)
		return 0;
	if (json_is_string(names))
		*ret = json_pack("[O]", names);
	else
		*ret = json_is_null(names) ? json_array() : json_incref(names);
	json_object_del(input, "snis");
	json_array_foreach (*ret, i, name) {
		if (!json_is_string(name))
			break;
	}
	if (json_is_array(*ret) && i == json_array_size(*ret))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	fault_field(&op->fault, "snis", "expected a set of strings");
	return OP_E_REFUSED;
}

int certificate_id_by_sni(struct op *op, struct str name, char ret[UUID_TEXT_BYTES])
{
	const struct entity_def *def = entity_def(ENTITY_SNIS);
	char sni[UUID_TEXT_BYTES];
	json_t *entity = NULL;
	int r = store_unique_get(op->txn, def->kind, 0, name, sni);

	if (r != 0)
		return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
	r = read_entity(op, ENTITY_SNIS, sni, &entity);
	if (r == 0)
		snprintf(ret, UUID_TEXT_BYTES, "%s",
				text_of(json_object_get(entity, "certificate"), "id"));
	json_decref(entity);
	return r;
}

static bool has_name(const json_t *names, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (names, i, one) {
		if (strcmp(json_string_value(one), name) == 0)
			return true;
	}
	return false;
}

/* Calls with each SNI of the certificate. */
static int each_sni(struct op *op, const char *id, int (*fn)(struct op *op, json_t *sni, void *arg),
		void *arg)
{
	struct store_ref ref = {entity_def(ENTITY_SNIS)->kind, 0, id};
	char at[UUID_TEXT_BYTES] = "";
	int r;

	while ((r = store_ref_next(op->txn, &ref, at, at)) == 0) {
		json_t *sni = NULL;

		r = read_entity(op, ENTITY_SNIS, at, &sni);
		if (r == 0)
			r = fn(op, sni, arg);
		json_decref(sni);
		if (r != 0)
			return r;
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static int drop_unwanted(struct op *op, json_t *sni, void *arg)
{
	if (has_name(arg, text_of(sni, "name")))
		return 0;
	return write_delete(op, ENTITY_SNIS, text_of(sni, "id"));
}

static int add_sni(struct op *op, const char *id, const json_t *name)
{
	char there[UUID_TEXT_BYTES] = "";
	json_t *input, *made = NULL;
	int r = certificate_id_by_sni(op, str_of(json_string_value(name)), there);

	if (r == 0 && strcmp(there, id) == 0)
		return 0;
	if (r == 0) {
		fault_field(&op->fault, "snis",
				"%s already associated with existing certificate '%s'",
				json_string_value(name), there);
		return OP_E_REFUSED;
	}
	if (r != OP_E_NONE)
		return r;
	input = json_pack("{s:O, s:{s:s}}", "name", name, "certificate", "id", id);
	r = write_insert(op, ENTITY_SNIS, input, &made);
	json_decref(input);
	json_decref(made);
	return r;
}

int certificate_snis_put(struct op *op, const char *id, const json_t *names)
{
	const json_t *name;
	size_t i;
	int r;

	if (names == NULL)
		return 0;
	r = each_sni(op, id, drop_unwanted, (void *)(uintptr_t)names);
	json_array_foreach (names, i, name) {
		if (r == 0)
			r = add_sni(op, id, name);
	}
	return r;
}

static int collect(struct op *op, json_t *sni, void *arg)
{
	(void)op;
	json_array_append(arg, json_object_get(sni, "name"));
	return 0;
}

int certificate_show(struct op *op, enum entity_type type, json_t *entity)
{
	json_t *names;
	int r;

	if (type != ENTITY_CERTIFICATES)
		return 0;
	names = json_array();
	r = each_sni(op, text_of(entity, "id"), collect, names);
	json_object_set_new(entity, "snis", names);
	return r;
}
