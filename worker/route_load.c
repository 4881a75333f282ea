/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route_part.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "plugin/vault.h"
#include "worker/balancer.h"

static struct entity_ref entity_of(const char *id, const char *name, ProtobufCBinaryData json)
{
	return (struct entity_ref){.id = str_of(id),
			.name = str_of(name),
			.json = {(const char *)json.data, json.len}};
}

static void service_unref(void *value)
{
	struct service *s = value;

	if (s == NULL || --s->refs != 0)
		return;
	sluice__record__service__free_unpacked(s->rec, NULL);
	free((char *)(uintptr_t)s->host_header.p);
	free((char *)(uintptr_t)s->tls.cert_pem.p);
	free((char *)(uintptr_t)s->tls.key_pem.p);
	free((char *)(uintptr_t)s->tls.ca_pem.p);
	balancer_unref(s->balancer);
	free(s);
}

static void service_ref(void *value)
{
	((struct service *)value)->refs++;
}

const struct assoc_kind route_service_kind = {service_ref, service_unref};

static bool host_header_make(struct service *s)
{
	uint32_t usual = strcmp(s->rec->protocol, "https") == 0 ? 443 : 80;
	bool is_v6 = strchr(s->rec->host, ':') != NULL && s->rec->host[0] != '[';
	char port[12] = "", *text;
	int n;

	if (s->rec->port != usual)
		snprintf(port, sizeof(port), ":%u", s->rec->port);
	n = asprintf(&text, is_v6 ? "[%s]%s" : "%s%s", s->rec->host, port);
	if (n < 0)
		return false;
	s->host_header = (struct str){text, (size_t)n};
	return true;
}

static struct str keep(const char *text)
{
	struct str s = {strdup(text), strlen(text)};

	return s.p != NULL ? s : STR_NONE;
}

/* What it refers to; a reference without a value is no certificate, which the handshake says. */
static struct str secret(const struct snap_view *view, const char *text)
{
	struct why why = WHY_NONE;
	char quoted[300];
	char *value = vault_text(view, text, &why);

	if (value != NULL)
		return (struct str){value, strlen(value)};
	log_warn("unable to resolve a reference", "client_certificate error=%s",
			log_quote(quoted, sizeof(quoted), str_of(why.text)));
	return keep(text);
}

static void client_certificate_read(struct service *s, const struct snap_view *view, const char *id)
{
	struct str record = snap_get(view, SLUICE__RECORD__KIND__CERTIFICATE, str_of(id));
	Sluice__Record__Certificate *rec = NULL;

	if (record.n != 0)
		rec = sluice__record__certificate__unpack(
				NULL, record.n, (const uint8_t *)record.p);
	if (rec == NULL)
		return;
	s->tls.cert_pem = secret(view, rec->cert);
	s->tls.key_pem = secret(view, rec->key);
	sluice__record__certificate__free_unpacked(rec, NULL);
}

/* A service that has none shows that of the upstream which its host names. */
static void upstream_certificate_read(struct service *s, const struct snap_view *view)
{
	struct str record = snap_get_by_name(
			view, SLUICE__RECORD__KIND__UPSTREAM, str_of(s->rec->host));
	Sluice__Record__Upstream *rec = NULL;

	if (record.n != 0)
		rec = sluice__record__upstream__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (rec != NULL && rec->client_certificate_id[0] != '\0')
		client_certificate_read(s, view, rec->client_certificate_id);
	sluice__record__upstream__free_unpacked(rec, NULL);
}

static void authorities_read(struct service *s, const struct snap_view *view)
{
	struct buf all = {NULL, 0, 0, false};

	for (size_t i = 0; i < s->rec->n_ca_certificate_ids; i++) {
		struct str record = snap_get(view, SLUICE__RECORD__KIND__CA_CERTIFICATE,
				str_of(s->rec->ca_certificate_ids[i]));
		Sluice__Record__CaCertificate *rec = NULL;

		if (record.n != 0)
			rec = sluice__record__ca_certificate__unpack(
					NULL, record.n, (const uint8_t *)record.p);
		if (rec == NULL)
			continue;
		buf_add_str(&all, str_of(rec->cert));
		buf_add_str(&all, STR("\n"));
		sluice__record__ca_certificate__free_unpacked(rec, NULL);
	}
	s->tls.ca_pem = buf_str(&all);
}

/* False: out of memory. */
static bool tls_read(struct service *s, const struct snap_view *view)
{
	if (s->rec->client_certificate_id[0] != '\0')
		client_certificate_read(s, view, s->rec->client_certificate_id);
	else if (strcmp(s->rec->protocol, "https") == 0)
		upstream_certificate_read(s, view);
	if (s->rec->n_ca_certificate_ids != 0)
		authorities_read(s, view);
	return !tls_context_is_own(&s->tls) || tls_context_id(s->tls_id, &s->tls) == 0;
}

static struct service *service_load(
		const char *id, const struct snap_view *view, struct assoc *services, uint64_t gen)
{
	struct service *s = assoc_get(services, str_of(id), gen);
	struct str record;

	if (s != NULL)
		return s;
	record = snap_get(view, SLUICE__RECORD__KIND__SERVICE, str_of(id));
	if (record.n == 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->refs = 1;
	s->rec = sluice__record__service__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (s->rec == NULL || !host_header_make(s) || !tls_read(s, view)) {
		service_unref(s);
		return NULL;
	}
	s->entity = entity_of(s->rec->id, s->rec->name, s->rec->json);
	assoc_put(services, str_of(id), gen, s);
	return s;
}

static void protocols_read(struct route *r)
{
	sl_auto_buf list = {NULL, 0, 0, false};

	for (size_t i = 0; i < r->rec->n_protocols; i++) {
		struct str p = str_of(r->rec->protocols[i]);

		r->is_http |= str_eq(p, STR("http"));
		r->is_https |= str_eq(p, STR("https"));
		if (i != 0)
			buf_add(&list, ",", 1);
		buf_add_str(&list, p);
	}
	if (buf_z(&list) != NULL)
		r->protocols = (struct str){strdup(list.p), list.n};
}

void route_unref(struct route *r)
{
	if (r == NULL || --r->refs != 0)
		return;
	plan_unref(r->plan);
	service_unref(r->service);
	route_regex_free(r->regexes);
	free((char *)(uintptr_t)r->protocols.p);
	if (r->rec != NULL)
		sluice__record__route__free_unpacked(r->rec, NULL);
	free(r);
}

struct route *route_load(struct str record, struct engine *engine, const struct snap_view *view,
		struct assoc *services, uint64_t generation)
{
	struct route *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->refs = 1;
	r->rec = sluice__record__route__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (r->rec == NULL) {
		route_unref(r);
		return NULL;
	}
	r->entity = entity_of(r->rec->id, r->rec->name, r->rec->json);
	protocols_read(r);
	r->is_content_free = r->rec->n_headers == 0 && r->rec->n_sources == 0 &&
			     r->rec->n_destinations == 0 && r->rec->n_snis == 0;
	if (r->rec->service_id[0] != '\0')
		r->service = service_load(r->rec->service_id, view, services, generation);
	if (engine != NULL)
		r->plan = engine_plan(engine, r->entity.id,
				r->service != NULL ? r->service->entity.id : STR_NONE);
	return r;
}
