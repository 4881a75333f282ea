/* SPDX-License-Identifier: Apache-2.0 */
#include "control/spec.h"

#include "base/arena.h"
#include "control/spec_part.h"

static char *foreign(const json_t *entity, const char *field)
{
	return text(json_object_get(entity, field), "id");
}

static bool flag(const json_t *entity, const char *field)
{
	return json_is_true(json_object_get(entity, field));
}

static char **texts(struct arena *a, const json_t *array, size_t *ret_n)
{
	size_t n = json_array_size(array), i;
	char **list = arena_calloc(a, (n + 1) * sizeof(*list));
	const json_t *v;

	*ret_n = list != NULL ? n : 0;
	if (list == NULL)
		return NULL;
	json_array_foreach (array, i, v)
		list[i] = loose(json_is_string(v) ? json_string_value(v) : "");
	return list;
}

static char *lower(struct arena *a, const char *s)
{
	char *copy = arena_strndup(a, s, strlen(s));

	for (char *p = copy; p != NULL && *p != '\0'; p++)
		*p = ascii_lower(*p);
	return copy != NULL ? copy : loose("");
}

/* ---- keys and vaults ---- */

static int key_set_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__KeySet m = SLUICE__RECORD__KEY_SET__INIT;

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int key_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Key m = SLUICE__RECORD__KEY__INIT;

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.kid = text(e, "kid");
	m.set_id = foreign(e, "set");
	m.set_and_kid = loose(arena_printf(a, "%s:%s", m.set_id, m.kid).p);
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return arena_is_exhausted(a) ? -ENOMEM : pack(&m.base, ret);
}

static int vault_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Vault m = SLUICE__RECORD__VAULT__INIT;
	sl_auto_mem char *config = json_dumps(json_object_get(e, "config"), JSON_COMPACT);

	m.id = text(e, "id");
	m.prefix = text(e, "prefix");
	m.name = text(e, "name");
	m.config = bytes(config != NULL ? config : "{}", config != NULL ? strlen(config) : 2);
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

/* ---- certificates ---- */

static int certificate_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Certificate m = SLUICE__RECORD__CERTIFICATE__INIT;

	m.id = text(e, "id");
	m.cert = text(e, "cert");
	m.key = text(e, "key");
	m.cert_alt = text(e, "cert_alt");
	m.key_alt = text(e, "key_alt");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int sni_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Sni m = SLUICE__RECORD__SNI__INIT;

	m.id = text(e, "id");
	m.name = lower(a, text(e, "name"));
	m.certificate_id = foreign(e, "certificate");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int ca_certificate_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__CaCertificate m = SLUICE__RECORD__CA_CERTIFICATE__INIT;

	m.id = text(e, "id");
	m.cert = text(e, "cert");
	m.cert_digest = text(e, "cert_digest");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

/* ---- upstreams and targets ---- */

static Sluice__Record__HeaderMatch **header_matches(
		struct arena *a, const json_t *headers, size_t *ret_n);

static uint32_t *numbers(struct arena *a, const json_t *array, size_t *ret_n)
{
	size_t n = json_array_size(array), i;
	uint32_t *list = arena_calloc(a, (n + 1) * sizeof(*list));
	const json_t *v;

	*ret_n = list != NULL ? n : 0;
	json_array_foreach (list != NULL ? array : NULL, i, v)
		list[i] = (uint32_t)json_integer_value(v);
	return list;
}

static uint32_t milliseconds(const json_t *entity, const char *field)
{
	return (uint32_t)(json_number_value(json_object_get(entity, field)) * 1000);
}

static Sluice__Record__HealthSide *health_side(struct arena *a, const json_t *side)
{
	Sluice__Record__HealthSide *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return NULL;
	sluice__record__health_side__init(m);
	m->interval_ms = milliseconds(side, "interval");
	m->http_statuses = numbers(a, json_object_get(side, "http_statuses"), &m->n_http_statuses);
	m->successes = number(side, "successes");
	m->tcp_failures = number(side, "tcp_failures");
	m->timeouts = number(side, "timeouts");
	m->http_failures = number(side, "http_failures");
	return m;
}

static Sluice__Record__HealthCheck *health_check(struct arena *a, const json_t *check)
{
	Sluice__Record__HealthCheck *m = arena_alloc(a, sizeof(*m));
	const json_t *headers = json_object_get(check, "headers");

	if (m == NULL)
		return NULL;
	sluice__record__health_check__init(m);
	m->type = text(check, "type");
	m->timeout_ms = milliseconds(check, "timeout");
	m->concurrency = number(check, "concurrency");
	m->http_path = text(check, "http_path");
	m->https_sni = text(check, "https_sni");
	m->https_verify_certificate = flag(check, "https_verify_certificate");
	m->headers = header_matches(a, headers, &m->n_headers);
	m->healthy = health_side(a, json_object_get(check, "healthy"));
	m->unhealthy = health_side(a, json_object_get(check, "unhealthy"));
	return m;
}

static void hash_parts(Sluice__Record__Upstream *m, const json_t *e)
{
	m->hash_on = text(e, "hash_on");
	m->hash_fallback = text(e, "hash_fallback");
	m->hash_on_header = text(e, "hash_on_header");
	m->hash_fallback_header = text(e, "hash_fallback_header");
	m->hash_on_cookie = text(e, "hash_on_cookie");
	m->hash_on_cookie_path = text(e, "hash_on_cookie_path");
	m->hash_on_query_arg = text(e, "hash_on_query_arg");
	m->hash_fallback_query_arg = text(e, "hash_fallback_query_arg");
	m->hash_on_uri_capture = text(e, "hash_on_uri_capture");
	m->hash_fallback_uri_capture = text(e, "hash_fallback_uri_capture");
}

static int upstream_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Upstream m = SLUICE__RECORD__UPSTREAM__INIT;
	const json_t *health = json_object_get(e, "healthchecks");

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.algorithm = text(e, "algorithm");
	hash_parts(&m, e);
	m.slots = number(e, "slots");
	m.host_header = text(e, "host_header");
	m.client_certificate_id = foreign(e, "client_certificate");
	m.use_srv_name = flag(e, "use_srv_name");
	m.active = health_check(a, json_object_get(health, "active"));
	m.passive = health_check(a, json_object_get(health, "passive"));
	m.threshold_percent = json_number_value(json_object_get(health, "threshold"));
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return arena_is_exhausted(a) ? -ENOMEM : pack(&m.base, ret);
}

static int target_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Target m = SLUICE__RECORD__TARGET__INIT;

	m.id = text(e, "id");
	m.upstream_id = foreign(e, "upstream");
	m.target = text(e, "target");
	m.weight = number(e, "weight");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

/* ---- services, consumers, plugins ---- */

static int service_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Service m = SLUICE__RECORD__SERVICE__INIT;
	const json_t *verify = json_object_get(e, "tls_verify");

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.enabled = flag(e, "enabled");
	m.protocol = text(e, "protocol");
	m.host = text(e, "host");
	m.port = number(e, "port");
	m.path = text(e, "path");
	m.retries = number(e, "retries");
	m.connect_timeout_ms = number(e, "connect_timeout");
	m.write_timeout_ms = number(e, "write_timeout");
	m.read_timeout_ms = number(e, "read_timeout");
	m.tls_verify = !json_is_boolean(verify) ? 0 : json_is_true(verify) ? 2 : 1;
	if (json_is_integer(json_object_get(e, "tls_verify_depth")))
		m.tls_verify_depth = number(e, "tls_verify_depth") + 1;
	m.client_certificate_id = foreign(e, "client_certificate");
	m.ca_certificate_ids =
			texts(a, json_object_get(e, "ca_certificates"), &m.n_ca_certificate_ids);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int consumer_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Consumer m = SLUICE__RECORD__CONSUMER__INIT;

	m.id = text(e, "id");
	m.username = text(e, "username");
	m.custom_id = text(e, "custom_id");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int group_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__ConsumerGroup m = SLUICE__RECORD__CONSUMER_GROUP__INIT;

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

static int member_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__ConsumerGroupConsumer m = SLUICE__RECORD__CONSUMER_GROUP_CONSUMER__INIT;

	m.id = text(e, "id");
	m.consumer_id = foreign(e, "consumer");
	m.consumer_group_id = foreign(e, "consumer_group");
	m.tags = texts(a, json_object_get(e, "tags"), &m.n_tags);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

struct Sluice__Record__Limits *spec_limits(struct Sluice__Record__Limits *ret, const json_t *e)
{
	const json_t *limits = json_object_get(e, "limits");

	if (!json_is_object(limits))
		return NULL;
	sluice__record__limits__init(ret);
	ret->cpu_ms = number(limits, "cpu_ms");
	ret->wall_ms = number(limits, "wall_ms");
	ret->memory_mb = number(limits, "memory_mb");
	ret->log_lines = number(limits, "log_lines");
	ret->output_kb = number(limits, "output_kb");
	return (ret->cpu_ms | ret->wall_ms | ret->memory_mb | ret->log_lines | ret->output_kb) != 0
			       ? ret
			       : NULL;
}

static int plugin_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__PluginInstance m = SLUICE__RECORD__PLUGIN_INSTANCE__INIT;
	Sluice__Record__Limits limits;
	sl_auto_mem char *config = json_dumps(json_object_get(e, "config"), JSON_COMPACT);

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.instance_name = text(e, "instance_name");
	m.enabled = flag(e, "enabled");
	m.route_id = foreign(e, "route");
	m.service_id = foreign(e, "service");
	m.consumer_id = foreign(e, "consumer");
	m.consumer_group_id = foreign(e, "consumer_group");
	if (m.consumer_group_id[0] != '\0')
		m.consumer_id = m.consumer_group_id; /* shm/record.proto says why */
	m.protocols = texts(a, json_object_get(e, "protocols"), &m.n_protocols);
	m.condition = text(e, "condition");
	m.config = bytes(config != NULL ? config : "{}", config != NULL ? strlen(config) : 2);
	m.on_error = text(e, "on_error");
	m.limits = spec_limits(&limits, e);
	m.json = bytes(json.p, json.n);
	return pack(&m.base, ret);
}

/* ---- routes ---- */

static Sluice__Record__HeaderMatch **header_matches(
		struct arena *a, const json_t *headers, size_t *ret_n)
{
	size_t n = json_object_size(headers), i = 0;
	Sluice__Record__HeaderMatch **list = arena_calloc(a, (n + 1) * sizeof(*list));
	const char *name;
	json_t *values;

	*ret_n = 0;
	if (list == NULL)
		return NULL;
	json_object_foreach ((json_t *)loose(headers), name, values) {
		Sluice__Record__HeaderMatch *m = arena_alloc(a, sizeof(*m));

		if (m == NULL)
			return list;
		sluice__record__header_match__init(m);
		m->name = lower(a, name);
		m->values = texts(a, values, &m->n_values);
		list[i++] = m;
		*ret_n = i;
	}
	return list;
}

static Sluice__Record__IpPort **ip_ports(struct arena *a, const json_t *array, size_t *ret_n)
{
	size_t n = json_array_size(array), i;
	Sluice__Record__IpPort **list = arena_calloc(a, (n + 1) * sizeof(*list));
	const json_t *v;

	*ret_n = 0;
	if (list == NULL)
		return NULL;
	json_array_foreach (array, i, v) {
		Sluice__Record__IpPort *m = arena_alloc(a, sizeof(*m));

		if (m == NULL)
			return list;
		sluice__record__ip_port__init(m);
		m->ip = text(v, "ip");
		m->port = number(v, "port");
		list[i] = m;
		*ret_n = i + 1;
	}
	return list;
}

static int route_make(struct arena *a, const json_t *e, struct str json, struct buf *ret)
{
	Sluice__Record__Route m = SLUICE__RECORD__ROUTE__INIT;

	m.id = text(e, "id");
	m.name = text(e, "name");
	m.service_id = foreign(e, "service");
	m.protocols = texts(a, json_object_get(e, "protocols"), &m.n_protocols);
	m.methods = texts(a, json_object_get(e, "methods"), &m.n_methods);
	m.hosts = texts(a, json_object_get(e, "hosts"), &m.n_hosts);
	for (size_t i = 0; i < m.n_hosts; i++)
		m.hosts[i] = lower(a, m.hosts[i]);
	m.paths = texts(a, json_object_get(e, "paths"), &m.n_paths);
	m.headers = header_matches(a, json_object_get(e, "headers"), &m.n_headers);
	m.snis = texts(a, json_object_get(e, "snis"), &m.n_snis);
	m.sources = ip_ports(a, json_object_get(e, "sources"), &m.n_sources);
	m.destinations = ip_ports(a, json_object_get(e, "destinations"), &m.n_destinations);
	m.regex_priority = json_integer_value(json_object_get(e, "regex_priority"));
	m.strip_path = flag(e, "strip_path");
	m.preserve_host = flag(e, "preserve_host");
	m.path_handling = text(e, "path_handling");
	m.https_redirect_status_code = number(e, "https_redirect_status_code");
	m.request_buffering = flag(e, "request_buffering");
	m.response_buffering = flag(e, "response_buffering");
	m.created_at = json_integer_value(json_object_get(e, "created_at"));
	m.json = bytes(json.p, json.n);
	return arena_is_exhausted(a) ? -ENOMEM : pack(&m.base, ret);
}

typedef int spec_make_fn(struct arena *a, const json_t *e, struct str json, struct buf *ret);

int spec_make(enum entity_type type, const json_t *entity, struct str json, struct buf *ret)
{
	static spec_make_fn *const make[ENTITY_COUNT] = {
			[ENTITY_VAULTS] = vault_make,
			[ENTITY_KEY_SETS] = key_set_make,
			[ENTITY_KEYS] = key_make,
			[ENTITY_CERTIFICATES] = certificate_make,
			[ENTITY_CA_CERTIFICATES] = ca_certificate_make,
			[ENTITY_SNIS] = sni_make,
			[ENTITY_UPSTREAMS] = upstream_make,
			[ENTITY_TARGETS] = target_make,
			[ENTITY_SERVICES] = service_make,
			[ENTITY_ROUTES] = route_make,
			[ENTITY_CONSUMERS] = consumer_make,
			[ENTITY_CONSUMER_GROUPS] = group_make,
			[ENTITY_CONSUMER_GROUP_CONSUMERS] = member_make,
			[ENTITY_PLUGINS] = plugin_make,
	};
	sl_auto(arena) a = NULL;
	int r = arena_new(&a, 0);

	return r != 0 ? r : make[type](a, entity, json, ret);
}
