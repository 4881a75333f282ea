/* SPDX-License-Identifier: Apache-2.0 */
#include "master/vet.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "plugin/check_client.h"
#include "plugin/phase.h"

#define AT_ONCE_MAX 2
/* sluice-check that does not start, or is killed under load, says nothing about the code: 100 ms,
 * 200 ms, … 13 s in all. */
#define TRIES_MAX 8
#define RETRY_MS 100
#define REMEMBERED_MAX 64

struct entry {
	TAILQ_ENTRY(entry) link;
	uint8_t key[32];
	struct vet_verdict verdict;
};

struct question {
	TAILQ_ENTRY(question) link;
	struct vet *owner;
	void *item;
	uint8_t key[32];
	json_t *request;
	struct check_call *call; /* NULL: waiting */
	unsigned tries;
	uint64_t not_before_ms;
};

struct vet {
	struct event_base *base;
	const struct conf *conf;
	struct check_client_conf check;
	vet_done_fn *done;
	void *arg;
	TAILQ_HEAD(questions, question) questions;
	TAILQ_HEAD(entries, entry) memory; /* newest first */
	struct event *again;
	unsigned n_running, n_remembered;
	uint64_t runs, remembered;
};

static void start_waiting(struct vet *v);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_waiting(arg);
}

int vet_new(struct vet **ret, struct event_base *base, const struct conf *conf, const char *program,
		vet_done_fn *done, void *arg)
{
	struct vet *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	v->base = base;
	v->conf = conf;
	v->check = (struct check_client_conf){program, conf->plugin_check_deadline_ms};
	v->done = done;
	v->arg = arg;
	TAILQ_INIT(&v->questions);
	TAILQ_INIT(&v->memory);
	v->again = evtimer_new(base, on_again, v);
	if (v->again == NULL) {
		free(v);
		return -ENOMEM;
	}
	*ret = v;
	return 0;
}

static void verdict_done(struct vet_verdict *d)
{
	free(d->version);
	free(d->schema_json);
	free(d->library);
	free(d->bytecode);
}

static void question_free(struct question *q)
{
	TAILQ_REMOVE(&q->owner->questions, q, link);
	if (q->call != NULL)
		check_cancel(q->call);
	json_decref(q->request);
	free(q);
}

static void forget(struct vet *v, struct entry *e)
{
	TAILQ_REMOVE(&v->memory, e, link);
	v->n_remembered--;
	verdict_done(&e->verdict);
	free(e);
}

void vet_cancel(struct vet *v)
{
	while (!TAILQ_EMPTY(&v->questions))
		question_free(TAILQ_FIRST(&v->questions));
	event_del(v->again);
	v->n_running = 0;
}

void vet_free(struct vet *v)
{
	if (v == NULL)
		return;
	vet_cancel(v);
	event_free(v->again);
	while (!TAILQ_EMPTY(&v->memory))
		forget(v, TAILQ_FIRST(&v->memory));
	free(v);
}

void vet_counts(const struct vet *v, uint64_t *ret_runs, uint64_t *ret_remembered)
{
	*ret_runs = v->runs;
	*ret_remembered = v->remembered;
}

/* ---- the question ---- */

static json_t *make_request(const struct vet *v, const struct vet_question *q)
{
	const struct conf *c = v->conf;

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:{s:i, s:i, s:i}, s:o, s:b}", "name", q->name,
			"user", c->worker_user, "schema", json_stringn(q->schema.p, q->schema.n),
			"handler", json_stringn(q->handler.p, q->handler.n), "untrusted_lua",
			c->untrusted_lua, "limits", "cpu_ms",
			(int)(q->cpu_ms != 0 ? q->cpu_ms : c->plugin_limits_cpu_ms), "memory_mb",
			(int)(q->memory_mb != 0 ? q->memory_mb : c->plugin_limits_memory_mb),
			"source_kb", (int)c->plugin_limits_source_kb, "configs", q->configs,
			"want_bytecode", true);
}

static int hash_request(const json_t *request, uint8_t ret[32])
{
	sl_auto_mem char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);

	if (text == NULL)
		return -ENOMEM;
	SHA256((const uint8_t *)text, strlen(text), ret);
	return 0;
}

static struct entry *recall(struct vet *v, const uint8_t key[32])
{
	struct entry *e;

	TAILQ_FOREACH (e, &v->memory, link) {
		if (memcmp(e->key, key, 32) != 0)
			continue;
		TAILQ_REMOVE(&v->memory, e, link);
		TAILQ_INSERT_HEAD(&v->memory, e, link);
		return e;
	}
	return NULL;
}

/* ---- the answer ---- */

static const char *error_code_of(const char *field)
{
	static const struct {
		const char *field, *code;
	} codes[] = {{"handler", "syntax"}, {"schema", "schema"}, {"name", "schema"},
			{"config", "config"}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(field, codes[i].field) == 0)
			return codes[i].code;
	}
	return "schema";
}

static void read_refusal(struct vet_verdict *d, const json_t *answer)
{
	const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
	const char *field = json_string_value(json_object_get(first, "field"));
	const char *file = json_string_value(json_object_get(first, "file"));
	const char *text = json_string_value(json_object_get(first, "message"));
	const char *config_id = json_string_value(json_object_get(first, "config_id"));
	int line = (int)json_integer_value(json_object_get(first, "line"));

	d->code = error_code_of(field != NULL ? field : "");
	if (config_id != NULL)
		why_set(&d->why, file, line, "%s (plugin instance %s)",
				text != NULL ? text : "refused", config_id);
	else
		why_set(&d->why, file, line, "%s", text != NULL ? text : "refused");
}

static int read_bytecode(struct vet_verdict *d, const char *base64)
{
	size_t n = strlen(base64), pad = 0;
	int got;

	if (n == 0 || n > 64u * 1024 * 1024 || n % 4 != 0)
		return -EBADMSG;
	d->bytecode = malloc(n / 4 * 3 + 1);
	if (d->bytecode == NULL)
		return -ENOMEM;
	got = EVP_DecodeBlock(d->bytecode, (const uint8_t *)base64, (int)n);
	while (pad < 2 && base64[n - 1 - pad] == '=')
		pad++;
	if (got < 0 || (size_t)got < pad)
		return -EBADMSG;
	d->n_bytecode = (size_t)got - pad;
	SHA256(d->bytecode, d->n_bytecode, d->bytecode_sha256);
	return 0;
}

static uint32_t read_phases(const json_t *names)
{
	uint32_t phases = 0;
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		for (enum phase p = 0; p < PHASE_COUNT; p++) {
			if (json_string_value(name) != NULL &&
					strcmp(json_string_value(name), phase_name(p)) == 0)
				phases |= PHASE_BIT(p);
		}
	}
	return phases;
}

static int read_acceptance(struct vet_verdict *d, const json_t *answer)
{
	const char *version = json_string_value(json_object_get(answer, "version"));
	const char *bytecode = json_string_value(json_object_get(answer, "handler_bytecode"));
	const char *library = json_string_value(json_object_get(answer, "library"));

	d->is_ok = true;
	d->priority = (int32_t)json_integer_value(json_object_get(answer, "priority"));
	d->phases = read_phases(json_object_get(answer, "phases"));
	d->version = strdup(version != NULL ? version : "");
	d->schema_json = json_dumps(json_object_get(answer, "schema"), JSON_COMPACT);
	d->library = strdup(library != NULL ? library : "");
	if (d->version == NULL || d->schema_json == NULL || d->library == NULL)
		return -EBADMSG;
	return bytecode != NULL ? read_bytecode(d, bytecode) : 0;
}

static void read_answer(struct vet_verdict *d, const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok"))) {
		read_refusal(d, answer);
	} else if (read_acceptance(d, answer) < 0) {
		d->is_ok = false;
		d->code = "schema";
		why_set(&d->why, NULL, 0, "sluice-check gave an answer that makes no sense");
	}
}

static void remember(struct vet *v, struct entry *e)
{
	TAILQ_INSERT_HEAD(&v->memory, e, link);
	if (++v->n_remembered > REMEMBERED_MAX)
		forget(v, TAILQ_LAST(&v->memory, entries));
}

static void answer_without_verdict(struct question *q, const struct why *why)
{
	struct vet_verdict d = {.code = "limit", .why = *why};
	struct vet *v = q->owner;
	void *item = q->item;

	if (++q->tries < TRIES_MAX) {
		log_warn("code could not be checked; trying again", "try=%u error=\"%s\"", q->tries,
				why->text);
		q->not_before_ms = clock_mono_ms() + ((uint64_t)RETRY_MS << (q->tries - 1));
		return;
	}
	question_free(q);
	v->done(v->arg, item, &d);
}

static void on_checked(void *arg, json_t *answer, const struct why *why)
{
	struct question *q = arg;
	struct vet *v = q->owner;
	struct entry *e = NULL;
	void *item = q->item;

	q->call = NULL;
	v->n_running--;
	v->runs++;
	if (answer != NULL)
		e = calloc(1, sizeof(*e));
	if (e == NULL) {
		/* nothing to remember: another try may go better */
		answer_without_verdict(q, answer == NULL ? why : &WHY_NONE);
	} else {
		memcpy(e->key, q->key, sizeof(e->key));
		read_answer(&e->verdict, answer);
		remember(v, e);
		question_free(q);
		v->done(v->arg, item, &e->verdict);
	}
	start_waiting(v);
}

static void wait_until(struct vet *v, uint64_t at_ms)
{
	uint64_t now = clock_mono_ms(), ms = at_ms > now ? at_ms - now : 1;
	const struct timeval delay = {
			.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	if (!event_pending(v->again, EV_TIMEOUT, NULL))
		event_add(v->again, &delay);
}

static void start_waiting(struct vet *v)
{
	struct question *q, *next;
	struct why why = WHY_NONE;

	for (q = TAILQ_FIRST(&v->questions); q != NULL && v->n_running < AT_ONCE_MAX; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->call != NULL)
			continue;
		if (q->not_before_ms > clock_mono_ms()) {
			wait_until(v, q->not_before_ms);
			continue;
		}
		if (check_start(&q->call, v->base, &v->check, q->request, on_checked, q, &why) ==
				0) {
			v->n_running++;
			continue;
		}
		q->call = NULL;
		answer_without_verdict(q, &why);
		/* the question may be gone, and the owner may have changed the list */
		next = TAILQ_FIRST(&v->questions);
	}
}

static bool is_utf8(struct str s)
{
	json_t *text = json_stringn(s.p, s.n);

	json_decref(text);
	return text != NULL;
}

/* JSON carries the question, so sources are text. */
static bool refuse_binary(struct vet *v, const struct vet_question *ask, void *item)
{
	struct vet_verdict d = {.code = "syntax"};
	const char *file = !is_utf8(ask->schema)    ? "schema.lua"
			   : !is_utf8(ask->handler) ? "handler.lua"
						    : NULL;

	if (file == NULL)
		return false;
	why_set(&d.why, file, 0, "not valid UTF-8: plugins are Lua source text");
	json_decref(ask->configs);
	v->done(v->arg, item, &d);
	return true;
}

int vet_ask(struct vet *v, const struct vet_question *ask, void *item)
{
	struct question *q;
	struct entry *known;

	if (refuse_binary(v, ask, item))
		return 0;
	q = calloc(1, sizeof(*q));
	if (q == NULL) {
		json_decref(ask->configs);
		return -ENOMEM;
	}
	q->owner = v;
	q->item = item;
	TAILQ_INSERT_TAIL(&v->questions, q, link);
	q->request = make_request(v, ask);
	if (q->request == NULL || hash_request(q->request, q->key) < 0) {
		question_free(q);
		return -ENOMEM;
	}
	known = recall(v, q->key);
	if (known != NULL) {
		v->remembered++;
		question_free(q);
		v->done(v->arg, item, &known->verdict);
		return 0;
	}
	start_waiting(v);
	return 0;
}
