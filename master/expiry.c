/* SPDX-License-Identifier: Apache-2.0 */
#include "master/expiry.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/metric.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define EXPIRY_MAGIC SL_MAGIC('X', 'P', 'R', 'Y')
#define FRESH_MS 60000
#define CERTIFICATES_MAX 1000

struct expiry {
	uint32_t magic;
	const struct conf *conf;
	struct buf text;
	uint64_t generation, read_ms;
	unsigned n;
};

int expiry_new(struct expiry **ret, const struct conf *conf)
{
	struct expiry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->magic = EXPIRY_MAGIC;
	e->conf = conf;
	*ret = e;
	return 0;
}

void expiry_free(struct expiry *e)
{
	if (e == NULL)
		return;
	sl_check(e, EXPIRY_MAGIC);
	buf_done(&e->text);
	e->magic = 0;
	free(e);
}

/* The end of the first certificate; 0: it cannot be read. */
static uint64_t end_of(BIO *in)
{
	X509 *x = in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	struct tm tm;
	uint64_t end = 0;

	if (x != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
		end = (uint64_t)timegm(&tm);
	X509_free(x);
	BIO_free(in);
	return end;
}

static uint64_t end_of_file(const char *path)
{
	return end_of(BIO_new_file(path, "r"));
}

static void add(struct expiry *e, uint64_t end, const char *name)
{
	if (end != 0)
		metric_line(&e->text, METRIC_sluice_certificate_expiry_timestamp_seconds, end,
				name);
}

static void add_files(struct expiry *e, const char *list, const char *key)
{
	struct str item;
	char path[4096], name[64];

	for (unsigned i = 0; conf_list_next(&list, &item); i++) {
		snprintf(path, sizeof(path), "%.*s", STR_ARG(item));
		snprintf(name, sizeof(name), i == 0 ? "%s" : "%s %u", key, i + 1);
		add(e, end_of_file(path), name);
	}
}

/* snap_each_fn */
static bool add_record(void *arg, struct str id, uint64_t version, struct str record)
{
	struct expiry *e = arg;
	Sluice__Record__Certificate *c = sluice__record__certificate__unpack(
			NULL, record.n, (const uint8_t *)record.p);

	(void)id;
	(void)version;
	if (c != NULL)
		add(e, end_of(BIO_new_mem_buf(c->cert, -1)), c->id);
	sluice__record__certificate__free_unpacked(c, NULL);
	return ++e->n < CERTIFICATES_MAX;
}

static void read_anew(struct expiry *e, const struct snap_view *view)
{
	sl_auto_mem char *own = conf_path(e->conf, CONF_OWN_CERTIFICATE);

	buf_clear(&e->text);
	metric_head(&e->text, METRIC_sluice_certificate_expiry_timestamp_seconds);
	if (e->conf->ssl_cert[0] != '\0')
		add_files(e, e->conf->ssl_cert, "ssl_cert");
	else if (own != NULL)
		add(e, end_of_file(own), "ssl_cert");
	add_files(e, e->conf->cluster_cert, "cluster_cert");
	e->n = 0;
	if (view != NULL)
		snap_each(view, SLUICE__RECORD__KIND__CERTIFICATE, add_record, e);
	if (strcmp(e->conf->role, "data_plane") == 0 && e->conf->cluster_cert[0] != '\0')
		metric_only(&e->text, METRIC_kong_data_plane_cluster_cert_expiry_timestamp,
				end_of_file(e->conf->cluster_cert));
}

void expiry_prometheus(struct expiry *e, const struct snap_view *view, struct buf *out)
{
	uint64_t now = clock_mono_ms(), generation = view != NULL ? snap_view_generation(view) : 0;

	sl_check(e, EXPIRY_MAGIC);
	if (e->read_ms == 0 || generation != e->generation || now - e->read_ms > FRESH_MS) {
		read_anew(e, view);
		e->read_ms = now;
		e->generation = generation;
	}
	buf_add(out, e->text.p, e->text.n);
}
