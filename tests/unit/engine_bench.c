/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engine_bench.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plugin/value.h"
#include "plugin/vm.h"
#include "tests/unit/snap_fixture.h"

int bench_process(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	if (vm_process_init(&why) == 0)
		return 0;
	fprintf(stderr, "%s\n", why.text);
	return -1;
}

static void want_body(struct exchange *x, size_t max_bytes)
{
	(void)max_bytes;
	x->request.body.state = BODY_READING;
}

static bool find_consumer(
		struct exchange *x, struct str key, bool by_username, struct entity_ref *ret)
{
	(void)x;
	if (!str_eq(key, by_username ? STR("alice") : STR("11111111-1111-4111-8111-111111111111")))
		return false;
	*ret = (struct entity_ref){.id = STR("11111111-1111-4111-8111-111111111111"),
			.name = STR("alice"),
			.json = STR("{\"username\":\"alice\"}")};
	return true;
}

/* At once: the caller goes on when the time is over. */
static void sleep_ms(struct exchange *x, uint32_t ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	(void)x;
	nanosleep(&t, NULL);
}

static const struct exchange_ops ops = {
		.want_body = want_body, .sleep = sleep_ms, .find_consumer = find_consumer};

int bench_set_up(void **state)
{
	static const struct breaker_conf breaker_conf = {
			BENCH_BREAKER_TRIPS, 60000, BENCH_BREAKER_RETRY_MS};
	struct bench *b = calloc(1, sizeof(*b));
	struct why why = WHY_NONE;

	assert_non_null(b);
	strcpy(b->root, "/tmp/sluice-engine-XXXXXX");
	assert_non_null(mkdtemp(b->root));
	snprintf(b->dir, sizeof(b->dir), "%s/snapshot", b->root);
	assert_int_equal(snapshot_writer_open_sized(
					 &b->writer, b->dir, (unsigned)-1, 64U << 20, &why),
			0);
	b->next_version = 1;
	assert_int_equal(dict_create(&b->dict, &b->dict_fd, DICT_BYTES_MIN, DICT_BYTES_MIN / 4,
					 &why),
			0);
	assert_int_equal(breaker_create(&b->breaker, &b->breaker_fd, &breaker_conf, &why), 0);
	b->conf = (struct engine_conf){.level = VM_LAX,
			.limits.by_default = {.cpu_ms = 20, .memory_mb = 32, .log_lines = 100},
			.node_id = "22222222-2222-4222-8222-222222222222",
			.hostname = "node.example",
			.version = "0.0.0",
			.workers_total = 1,
			.breaker = b->breaker,
			.dict = b->dict,
			.trusted_ips = STR("10.0.0.0/8, ::1")};
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	*state = b;
	return 0;
}

int bench_tear_down(void **state)
{
	struct bench *b = *state;

	bench_end(b);
	engine_free(b->engine);
	dict_free(b->dict);
	close(b->dict_fd);
	breaker_free(b->breaker);
	close(b->breaker_fd);
	snapshot_writer_free(b->writer);
	remove_below(b->root);
	free(b);
	return 0;
}

/* Kept until the commit: blobs cannot be stored while a transaction is open. */
static struct bench_put *put_later(struct bench *b, uint32_t kind, const char *id)
{
	struct bench_put *p = &b->puts[b->n_puts++];

	assert_in_range(b->n_puts, 1, sizeof(b->puts) / sizeof(b->puts[0]));
	*p = (struct bench_put){.kind = kind, .version = b->next_version++};
	snprintf(p->id, sizeof(p->id), "%s", id);
	return p;
}

static void put_message_later(
		struct bench *b, uint32_t kind, const char *id, const ProtobufCMessage *m)
{
	struct bench_put *p = put_later(b, kind, id);

	p->n = protobuf_c_message_get_packed_size(m);
	assert_in_range(p->n, 1, sizeof(p->bytes));
	protobuf_c_message_pack(m, p->bytes);
}

static uint32_t phases_in(const char *methods)
{
	char needle[64];
	uint32_t phases = 0;

	for (unsigned i = 0; i < PHASE_COUNT; i++) {
		snprintf(needle, sizeof(needle), "P:%s(", phase_name((enum phase)i));
		if (strstr(methods, needle) != NULL)
			phases |= PHASE_BIT(i);
	}
	return phases;
}

void bench_plugin_with(struct bench *b, const char *name, int priority, const char *methods,
		const char *schema_json, uint32_t cpu_ms, uint32_t memory_mb)
{
	Sluice__Record__PluginCode code = SLUICE__RECORD__PLUGIN_CODE__INIT;
	Sluice__Record__Limits limits = SLUICE__RECORD__LIMITS__INIT;
	struct why why = WHY_NONE;
	sl_auto_mem char *source = NULL;
	char id[128];
	uint8_t sha[32];
	int n = asprintf(&source, "local P = { PRIORITY = %d, VERSION = '1.0.0' } %s\nreturn P",
			priority, methods);

	assert_true(n > 0);
	SHA256((const uint8_t *)source, (size_t)n, sha);
	assert_int_equal(snapshot_put_blob(b->writer, sha, (struct str){source, (size_t)n}, &why),
			0);
	snprintf(id, sizeof(id), "code-%s", name);
	code.id = id;
	code.name = (char *)(uintptr_t)name;
	code.version_sha256 = (ProtobufCBinaryData){32, sha};
	code.handler_sha256 = (ProtobufCBinaryData){32, sha};
	code.priority = priority;
	code.phases = phases_in(methods);
	limits.cpu_ms = cpu_ms;
	limits.memory_mb = memory_mb;
	code.limits = &limits;
	if (schema_json != NULL)
		code.schema_json = (ProtobufCBinaryData){
				strlen(schema_json), (uint8_t *)(uintptr_t)schema_json};
	put_message_later(b, CODE, id, &code.base);
}

void bench_plugin(struct bench *b, const char *name, int priority, const char *methods)
{
	bench_plugin_with(b, name, priority, methods, NULL, 0, 0);
}

static char *text_or_empty(const char *s)
{
	return (char *)(uintptr_t)(s != NULL ? s : "");
}

void bench_instance(struct bench *b, const char *plugin, const char *id, struct bench_scope s)
{
	Sluice__Record__PluginInstance rec = SLUICE__RECORD__PLUGIN_INSTANCE__INIT;
	const char *config = s.config != NULL ? s.config : "{}";
	char *protocols[] = {text_or_empty(s.protocol)};

	rec.id = (char *)(uintptr_t)id;
	rec.name = (char *)(uintptr_t)plugin;
	rec.enabled = true;
	rec.route_id = text_or_empty(s.route);
	rec.service_id = text_or_empty(s.service);
	rec.consumer_id = text_or_empty(s.consumer);
	rec.condition = text_or_empty(s.condition);
	rec.on_error = text_or_empty(s.on_error);
	rec.config = (ProtobufCBinaryData){strlen(config), (uint8_t *)(uintptr_t)config};
	rec.protocols = protocols;
	rec.n_protocols = s.protocol != NULL;
	put_message_later(b, INSTANCE, id, &rec.base);
}

void bench_remove(struct bench *b, uint32_t kind, const char *id)
{
	put_later(b, kind, id);
}

static void take_report(void *arg, const struct engine_report *report)
{
	struct bench *b = arg;

	b->n_reports++;
	b->n_refused += !report->is_active;
	b->last_report = *report;
}

void bench_commit(struct bench *b)
{
	struct snap_txn *t = begin(b->writer);
	struct snap_view *view;

	for (unsigned i = 0; i < b->n_puts; i++) {
		const struct bench_put *p = &b->puts[i];
		struct str record = {(const char *)p->bytes, p->n};
		int r = p->n != 0 ? snap_txn_put(t, p->kind, str_of(p->id), p->version, record,
						    NULL)
				  : snap_txn_delete(t, p->kind, str_of(p->id), NULL);

		assert_int_equal(r, 0);
	}
	b->n_puts = 0;
	commit(t, ++b->generation);
	view = view_of(b->writer);
	engine_set_view(b->engine, view, take_report, b);
	snap_view_unref(view);
}

void bench_end(struct bench *b)
{
	chain_free(b->chain);
	b->chain = NULL;
	arena_free(b->arena);
	b->arena = NULL;
}

void bench_request(struct bench *b, const char *target)
{
	struct exchange_request *q = &b->x.request;

	bench_end(b);
	assert_int_equal(arena_new(&b->arena, 8U << 20), 0);
	exchange_init(&b->x, b->arena, &ops, b);
	q->scheme = STR("http");
	q->method = STR("GET");
	q->host = STR("example.com");
	q->host_port = 8000;
	q->http_major = q->http_minor = 1;
	memcpy(q->id, "0123456789abcdef0123456789abcdef", 33);
	q->client = (struct endpoint){STR("192.0.2.7"), 4711};
	q->real_client = (struct endpoint){STR("198.51.100.1"), 4712};
	q->server = (struct endpoint){STR("127.0.0.1"), 8000};
	q->start_real_ns = 1700000000123456789U;
	assert_int_equal(exchange_set_target(&b->x, str_of(target)), 0);
	b->x.upstream.scheme = STR("http");
	b->x.upstream.method = q->method;
	b->x.upstream.path = q->path;
	b->chain = chain_new(b->engine, &b->x);
	assert_non_null(b->chain);
}

void bench_route(struct bench *b, const char *route, const char *service)
{
	struct plan *p = engine_plan(b->engine, str_of(route), str_of(service));

	assert_non_null(p);
	b->x.route.id = str_of(route);
	b->x.service.id = str_of(service);
	b->x.route_protocols = STR("http,https");
	chain_set_plan(b->chain, p);
	plan_unref(p);
}

enum chain_verdict bench_serve(struct bench *b, enum chain_verdict verdict)
{
	while (verdict == CHAIN_WAIT) {
		if (b->x.request.body.state == BODY_READING) {
			b->x.request.body.state = BODY_COMPLETE;
			b->x.request.body.bytes = b->late_body;
		}
		verdict = chain_resume(b->chain);
	}
	return verdict;
}

enum chain_verdict bench_run(struct bench *b, const char *target)
{
	enum chain_verdict verdict;

	bench_request(b, target);
	if (b->late_body.p != NULL)
		b->x.request.body.state = BODY_UNREAD;
	verdict = bench_serve(b, chain_rewrite(b->chain));
	if (verdict != CHAIN_GO_ON)
		return verdict;
	bench_route(b, "r", "s");
	return bench_serve(b, chain_access(b->chain));
}

const char *bench_text(struct str s)
{
	static char text[65536];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(s));
	return text;
}

const char *bench_eval(struct bench *b, const char *code)
{
	sl_auto_mem char *methods = NULL;

	assert_true(asprintf(&methods, "function P:access(conf) %s end", code) > 0);
	bench_plugin(b, "p", 1, methods);
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_run(b, "/");
	return bench_text(b->x.answer.body);
}

const char *bench_shared(struct bench *b, const char *name)
{
	const struct value *v = b->x.ctx_shared != NULL
						? value_get(b->x.ctx_shared->table,
								  value_of_str(str_of(name)))
						: NULL;
	const char *text = "";

	if (v == NULL)
		return "nil";
	if (v->type == VALUE_STRING)
		return bench_text(v->string);
	return bench_text(value_to_json_text(b->arena, v, &text));
}
