/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/otlp_http.h"
#include "worker/otlp_pack.h"
#include "worker/worker.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 30000
#define GIVE_UP_MS 120000 /* a batch is tried for that long */

enum signal_kind { SIGNAL_SPANS, SIGNAL_LOGS, SIGNAL_COUNT };

static const char *const paths[SIGNAL_COUNT] = {
		[SIGNAL_SPANS] = "/v1/traces", [SIGNAL_LOGS] = "/v1/logs"};
static const char *const nouns[SIGNAL_COUNT] = {
		[SIGNAL_SPANS] = "spans", [SIGNAL_LOGS] = "log records"};

struct batch {
	struct batch *next;
	enum signal_kind kind;
	struct buf bytes;
	uint32_t n_items;
	uint64_t first_try_ms;
};

struct otlp {
	struct worker *w;
	struct otlp_http *http;
	struct telemetry_sink sink;
	char node_id[64], hostname[256];
	struct batch *filling[SIGNAL_COUNT]; /* NULL: none */
	struct batch *first, **end;          /* closed, in order */
	struct buf body;                     /* of the batch under way, which is `first` */
	bool is_posting, is_failing;
	uint32_t backoff_ms;
	uint64_t bytes;      /* queued */
	uint32_t n_dropping; /* since the last word about it */
	struct timer delay, retry;
};

static void count_dropped(struct otlp *o, enum signal_kind kind, uint32_t n, const char *why)
{
	stat_add(kind == SIGNAL_SPANS ? &o->w->stat->otlp_spans_dropped
				      : &o->w->stat->otlp_logs_dropped,
			n);
	if (o->n_dropping == 0)
		log_warn("telemetry is dropped", "what=\"%s\" n=%u why=\"%s\"", nouns[kind], n,
				why);
	o->n_dropping += n;
}

static void drop_first(struct otlp *o)
{
	struct batch *b = o->first;

	o->first = b->next;
	if (o->first == NULL)
		o->end = &o->first;
	o->bytes -= b->bytes.n;
	buf_done(&b->bytes);
	free(b);
}

static void send_next(struct otlp *o)
{
	struct batch *b = o->first;

	if (b == NULL || o->is_posting || o->retry.back != NULL)
		return;
	buf_clear(&o->body);
	if (otlp_pack_request(buf_str(&b->bytes), str_of(o->node_id), str_of(o->hostname),
			    &o->body) != 0) {
		o->body.is_failed = false;
		count_dropped(o, b->kind, b->n_items, "out of memory");
		drop_first(o);
		return;
	}
	if (b->first_try_ms == 0)
		b->first_try_ms = clock_mono_ms();
	o->is_posting = true;
	otlp_http_post(o->http, str_of(paths[b->kind]), buf_str(&o->body));
}

static void close_batch(struct otlp *o, enum signal_kind kind)
{
	struct batch *b = o->filling[kind];

	if (b == NULL)
		return;
	o->filling[kind] = NULL;
	*o->end = b;
	o->end = &b->next;
	send_next(o);
}

static void on_delay(void *arg)
{
	for (int i = 0; i < SIGNAL_COUNT; i++)
		close_batch(arg, (enum signal_kind)i);
}

static void on_retry(void *arg)
{
	send_next(arg);
}

/* OTLP 1.x, failures: these may be mended by trying again. */
static bool is_worth_a_retry(int status)
{
	return status < 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void succeeded(struct otlp *o)
{
	stat_add(o->first->kind == SIGNAL_SPANS ? &o->w->stat->otlp_spans_exported
						: &o->w->stat->otlp_logs_exported,
			o->first->n_items);
	if (o->is_failing)
		log_notice("the collector takes telemetry again", "dropped=%u", o->n_dropping);
	o->is_failing = false;
	o->n_dropping = 0;
	o->backoff_ms = 0;
	drop_first(o);
}

static void failed(struct otlp *o, int status, uint32_t retry_after_ms)
{
	bool is_retried = is_worth_a_retry(status) &&
			  clock_mono_ms() - o->first->first_try_ms < GIVE_UP_MS;

	stat_add(&o->w->stat->otlp_failures, 1);
	if (!o->is_failing)
		log_warn("the collector does not take telemetry", "%s=%d retry=%s",
				status < 0 ? "error" : "status", status < 0 ? -status : status,
				is_retried ? "yes" : "no");
	o->is_failing = true;
	if (!is_retried) {
		count_dropped(o, o->first->kind, o->first->n_items, "refused");
		drop_first(o);
	}
	o->backoff_ms = o->backoff_ms == 0 ? BACKOFF_FIRST_MS : o->backoff_ms * 2;
	if (o->backoff_ms > BACKOFF_MAX_MS)
		o->backoff_ms = BACKOFF_MAX_MS;
	timer_set(&o->w->timers, &o->retry,
			retry_after_ms > o->backoff_ms ? retry_after_ms : o->backoff_ms);
}

/* otlp_http_fn */
static void on_answer(void *arg, int status, uint32_t retry_after_ms)
{
	struct otlp *o = arg;

	o->is_posting = false;
	if (status >= 200 && status < 300)
		succeeded(o);
	else
		failed(o, status, retry_after_ms);
	send_next(o);
}

/* The batch to write to; NULL = there is no room. */
static struct batch *open_batch(struct otlp *o, enum signal_kind kind)
{
	struct batch *b = o->filling[kind];

	if (o->bytes >= o->w->conf->tracing_otlp_queue_size)
		return NULL;
	if (b != NULL)
		return b;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->kind = kind;
	o->filling[kind] = b;
	if (o->delay.back == NULL)
		timer_set(&o->w->timers, &o->delay, o->w->conf->tracing_otlp_delay_ms);
	return b;
}

static void added(struct otlp *o, struct batch *b, size_t before, uint32_t n)
{
	o->bytes += b->bytes.n - before;
	b->n_items += n;
	if (b->n_items >= o->w->conf->tracing_otlp_batch_size)
		close_batch(o, b->kind);
}

void otlp_add_trace(struct otlp *o, const struct trace *t)
{
	struct batch *b = open_batch(o, SIGNAL_SPANS);
	size_t before = b != NULL ? b->bytes.n : 0;
	uint32_t n = 0;

	if (b == NULL || otlp_pack_spans(t, &b->bytes, &n) != 0) {
		if (b != NULL)
			b->bytes.is_failed = false;
		count_dropped(o, SIGNAL_SPANS, t->n, "the queue is full");
		return;
	}
	added(o, b, before, n);
}

/* telemetry_sink.log */
static void add_log(void *arg, const struct telemetry_record *r)
{
	struct otlp *o = arg;
	struct batch *b = open_batch(o, SIGNAL_LOGS);
	size_t before = b != NULL ? b->bytes.n : 0;

	if (b == NULL || otlp_pack_log(r, &b->bytes) != 0) {
		if (b != NULL)
			b->bytes.is_failed = false;
		count_dropped(o, SIGNAL_LOGS, 1, "the queue is full");
		return;
	}
	added(o, b, before, 1);
}

const struct telemetry_sink *otlp_sink(struct otlp *o)
{
	return o != NULL ? &o->sink : NULL;
}

bool otlp_flush(struct otlp *o)
{
	if (o == NULL)
		return false;
	on_delay(o);
	return o->first != NULL && !o->is_failing;
}

int otlp_new(struct otlp **ret, struct worker *w, struct why *why)
{
	sl_auto(otlp) o = NULL;
	int r;

	*ret = NULL;
	if (w->conf->tracing_otlp_endpoint[0] == '\0')
		return 0;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return -ENOMEM;
	o->w = w;
	o->end = &o->first;
	o->sink = (struct telemetry_sink){add_log, o};
	timer_init(&o->delay, on_delay, o);
	timer_init(&o->retry, on_retry, o);
	worker_node_id(w->conf, o->node_id);
	gethostname(o->hostname, sizeof(o->hostname) - 1);
	r = otlp_http_new(&o->http, w, on_answer, o, why);
	if (r != 0)
		return r;
	*ret = sl_steal(o);
	return 0;
}

void otlp_free(struct otlp *o)
{
	if (o == NULL)
		return;
	timer_clear(&o->delay);
	timer_clear(&o->retry);
	otlp_http_free(o->http);
	o->is_posting = true; /* nothing more */
	for (int i = 0; i < SIGNAL_COUNT; i++)
		close_batch(o, (enum signal_kind)i);
	while (o->first != NULL)
		drop_first(o);
	buf_done(&o->body);
	free(o);
}
