/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/certificates.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "plugin/vault.h"
#include "shm/record.pb-c.h"
#include "worker/assoc.h"
#include "worker/client_hello.h"

#define SETS 64 /* × 4 certificates */

struct certificates {
	struct assoc *parsed;
};

static void certificate_ref(void *value)
{
	((struct certificate *)value)->refs++;
}

void certificate_unref(struct certificate *c)
{
	if (c == NULL || --c->refs != 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		certificate_pair_done(&c->pairs[i]);
	free(c);
}

static void unref_value(void *value)
{
	certificate_unref(value);
}

int certificates_new(struct certificates **ret)
{
	static const struct assoc_kind kind = {certificate_ref, unref_value};
	struct certificates *c = calloc(1, sizeof(*c));

	if (c == NULL || assoc_new(&c->parsed, SETS, &kind) != 0) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void certificates_free(struct certificates *c)
{
	assoc_free(c->parsed);
	free(c);
}

/* ---- which ---- */

static bool sni_find(const struct snap_view *view, struct str name, char ret[CERTIFICATE_ID_MAX])
{
	struct str record = snap_get_by_name(view, SLUICE__RECORD__KIND__SNI, name);
	Sluice__Record__Sni *sni;
	size_t n;

	if (record.n == 0)
		return false;
	sni = sluice__record__sni__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (sni == NULL)
		return false;
	n = strlen(sni->certificate_id);
	if (n < CERTIFICATE_ID_MAX)
		memcpy(ret, sni->certificate_id, n + 1);
	sluice__record__sni__free_unpacked(sni, NULL);
	return n < CERTIFICATE_ID_MAX;
}

bool certificate_choose(const struct snap_view *view, struct str sni, char ret[CERTIFICATE_ID_MAX])
{
	ptrdiff_t first = str_find_char(sni, '.');
	char wild[SNI_MAX + 2];
	size_t last = sni.n;

	if (sni.n != 0 && sni.n <= SNI_MAX && sni_find(view, sni, ret))
		return true;
	if (first > 0 && sni.n <= SNI_MAX) {
		int n = snprintf(
				wild, sizeof(wild), "*%.*s", STR_ARG(str_from(sni, (size_t)first)));

		if (sni_find(view, (struct str){wild, (size_t)n}, ret))
			return true;
		while (sni.p[last - 1] != '.')
			last--;
		n = snprintf(wild, sizeof(wild), "%.*s*", STR_ARG(str_head(sni, last)));
		if (sni_find(view, (struct str){wild, (size_t)n}, ret))
			return true;
	}
	return sni_find(view, STR("*"), ret);
}

/* ---- parsed ---- */

/* A reference that has no value is said, and what is left of it is no certificate. */
static char *secret(const struct snap_view *view, const char *id, const char *text)
{
	struct why why = WHY_NONE;
	char quoted[300];
	char *value = vault_text(view, text, &why);

	if (value == NULL)
		log_warn("unable to resolve a reference", "certificate=%s error=%s", id,
				log_quote(quoted, sizeof(quoted), str_of(why.text)));
	return value;
}

static void pair_add(struct certificate *c, const struct snap_view *view, const char *id,
		const char *cert_text, const char *key_text)
{
	sl_auto_mem char *cert = secret(view, id, cert_text);
	sl_auto_mem char *key = secret(view, id, key_text);
	struct why why = WHY_NONE;
	char text[300];
	int r;

	if (cert == NULL || key == NULL || cert[0] == '\0')
		return;
	r = certificate_pair_parse(&c->pairs[c->n], str_of(cert), str_of(key), &why);
	OPENSSL_cleanse(key, strlen(key));
	if (r == 0) {
		c->n++;
		return;
	}
	certificate_pair_done(&c->pairs[c->n]);
	log_warn("certificate cannot be used", "id=%s why=%s", id,
			log_quote(text, sizeof(text), str_of(why.text)));
}

static struct certificate *certificate_load(const struct snap_view *view, struct str record)
{
	struct certificate *c = calloc(1, sizeof(*c));
	Sluice__Record__Certificate *rec = sluice__record__certificate__unpack(
			NULL, record.n, (const uint8_t *)record.p);

	if (c != NULL && rec != NULL) {
		c->refs = 1;
		pair_add(c, view, rec->id, rec->cert, rec->key);
		pair_add(c, view, rec->id, rec->cert_alt, rec->key_alt);
	}
	if (rec == NULL) {
		free(c);
		return NULL;
	}
	OPENSSL_cleanse(rec->key, strlen(rec->key));
	sluice__record__certificate__free_unpacked(rec, NULL);
	return c;
}

/* What is kept stays in use over generations that leave its record as it was. */
static struct certificate *certificate_get(
		struct certificates *c, const struct snap_view *view, struct str id)
{
	struct certificate *found = assoc_get(c->parsed, id, 0);
	uint64_t commit = snap_view_commit(view);
	uint8_t sha256[32];
	struct str record;

	if (found != NULL && found->commit == commit)
		return found;
	record = snap_get(view, SLUICE__RECORD__KIND__CERTIFICATE, id);
	SHA256((const uint8_t *)record.p, record.n, sha256);
	/* what a reference gives depends on the vaults of the generation */
	if (found != NULL && memcmp(found->sha256, sha256, sizeof(sha256)) == 0 &&
			str_find(record, STR("{vault://")) < 0) {
		found->commit = commit;
		return found;
	}
	certificate_unref(found);
	found = record.n != 0 ? certificate_load(view, record) : NULL;
	if (found == NULL)
		return NULL;
	found->commit = commit;
	memcpy(found->sha256, sha256, sizeof(sha256));
	assoc_put(c->parsed, id, 0, found);
	return found;
}

struct certificate *certificates_for(
		struct certificates *c, const struct snap_view *view, struct str sni)
{
	char id[CERTIFICATE_ID_MAX];
	struct certificate *found;

	if (!certificate_choose(view, sni, id))
		return NULL;
	found = certificate_get(c, view, str_of(id));
	if (found != NULL && found->n != 0)
		return found;
	certificate_unref(found);
	return NULL;
}
