/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "plugin/chain.h"
#include "plugin/check_part.h"
#include "plugin/engine.h"
#include "plugin/jail.h"
#include "plugin/schema_part.h"
#include "shm/snapshot.h"

#define REQUEST_BYTES_MAX (64U << 20)
/* A pipe holds the log: its reader is this process, when all is over. */
#define LOG_BYTES_MAX (1U << 20)
#define CONFIGURE_CPU_MS 100
#define LOG_LINES_MAX 1000

struct trial {
	const json_t *question;
	struct engine *engine;
	struct exchange x;
	struct chain *chain;
	struct entity_ref consumer;
	struct str request_body, response_body;
	json_t *phases, *request, *service_request, *service_response;
	uint64_t cpu_ns; /* told so far */
	int log_fd;
	struct why load_why;
};

static struct trial *trial_of(struct exchange *x)
{
	return x->host;
}

static void want_body(struct exchange *x, size_t max_bytes)
{
	(void)max_bytes;
	x->request.body.state = BODY_READING;
}

/* Time does not pass here: who sleeps goes on at once. */
static void sleep_not(struct exchange *x, uint32_t ms)
{
	(void)x;
	(void)ms;
}

static bool find_consumer(
		struct exchange *x, struct str key, bool by_username, struct entity_ref *ret)
{
	const struct entity_ref *known = &trial_of(x)->consumer;

	if (known->id.n == 0 || !str_eq(key, by_username ? known->name : known->id))
		return false;
	*ret = *known;
	return true;
}

static const struct exchange_ops ops = {.want_body = want_body,
		.sleep = sleep_not,
		.is_timeless = true,
		.find_consumer = find_consumer};

/* ---- one phase at a time ---- */

struct cost {
	uint64_t cpu_ns, memory_bytes;
};

static void take_cost(void *arg, const struct engine_plugin_stat *stat)
{
	struct cost *cost = arg;

	cost->cpu_ns += stat->cpu_ns;
	cost->memory_bytes += stat->memory_bytes;
}

static void end_step(struct trial *t, const char *name)
{
	struct cost cost = {0, 0};

	engine_stats(t->engine, take_cost, &cost);
	json_array_append_new(
			t->phases, json_pack("{s:s,s:f,s:I}", "phase", name, "cpu_us",
						   (double)(cost.cpu_ns - t->cpu_ns) / 1000,
						   "memory_bytes", (json_int_t)cost.memory_bytes));
	t->cpu_ns = cost.cpu_ns;
}

static void end_phase(struct trial *t, enum phase phase)
{
	end_step(t, phase_name(phase));
}

static enum chain_verdict serve_waits(struct trial *t, enum chain_verdict verdict)
{
	struct body *b = &t->x.request.body;

	while (verdict == CHAIN_WAIT) {
		if (b->state == BODY_READING) {
			b->state = BODY_COMPLETE;
			b->bytes = t->request_body;
		}
		verdict = chain_resume(t->chain);
	}
	return verdict;
}

/* Rewrite to access; true: the service is to be asked. */
static bool run_request(struct trial *t, uint32_t phases)
{
	struct plan *plan;
	enum chain_verdict verdict = serve_waits(t, chain_rewrite(t->chain));

	if ((phases & PHASE_BIT(PHASE_REWRITE)) != 0)
		end_phase(t, PHASE_REWRITE);
	if (verdict != CHAIN_GO_ON)
		return false;
	plan = engine_plan(t->engine, t->x.route.id, t->x.service.id);
	if (plan == NULL)
		return false;
	chain_set_plan(t->chain, plan);
	plan_unref(plan);
	verdict = serve_waits(t, chain_access(t->chain));
	if ((phases & PHASE_BIT(PHASE_ACCESS)) != 0)
		end_phase(t, PHASE_ACCESS);
	return verdict == CHAIN_GO_ON;
}

static int ask_service(struct trial *t, uint32_t phases)
{
	struct exchange_response *r = &t->x.response;
	int err;

	t->service_request = trial_service_request(&t->x, t->request_body);
	err = trial_read_response(&t->x, json_object_get(t->question, "service"));
	t->response_body = r->service_body.bytes;
	t->service_response = trial_response(&t->x, t->response_body);
	if (err < 0 || !chain_wants_response(t->chain))
		return err;
	r->service_body.state = BODY_COMPLETE;
	serve_waits(t, chain_response(t->chain));
	if ((phases & PHASE_BIT(PHASE_RESPONSE)) != 0)
		end_phase(t, PHASE_RESPONSE);
	t->response_body = r->service_body.bytes;
	return 0;
}

static void take_answer(struct trial *t)
{
	struct exchange_response *r = &t->x.response;

	if (!t->x.answer.is_set)
		return;
	r->status = t->x.answer.status;
	headers_share(&r->headers, &t->x.answer.headers);
	t->response_body = t->x.answer.body;
}

static void run_response(struct trial *t, uint32_t phases)
{
	take_answer(t);
	if (chain_header_filter(t->chain) == CHAIN_ANSWER)
		take_answer(t);
	if ((phases & PHASE_BIT(PHASE_HEADER_FILTER)) != 0)
		end_phase(t, PHASE_HEADER_FILTER);
	t->x.response.is_sent = true;
	if (chain_wants_body_filter(t->chain)) {
		t->x.chunk = t->response_body;
		t->x.chunk_is_last = true;
		chain_body_filter(t->chain);
		t->response_body = t->x.chunk;
		end_phase(t, PHASE_BODY_FILTER);
	}
	t->x.response.bytes_sent = t->x.response.body_bytes_sent = t->response_body.n;
	chain_log(t->chain);
	if ((phases & PHASE_BIT(PHASE_LOG)) != 0)
		end_phase(t, PHASE_LOG);
}

/* ---- the whole ---- */

static int prepare(struct trial *t, struct arena *arena, struct why *why)
{
	struct exchange *x = &t->x;
	int r;

	exchange_init(x, arena, &ops, t);
	r = trial_read_request(x, json_object_get(t->question, "request"), &t->request_body);
	if (r < 0)
		return why_errno(why, -r, "the request of the case cannot be used");
	r = trial_read_consumer(x, json_object_get(t->question, "consumer"), &t->consumer);
	if (r < 0)
		return why_errno(why, -r, "the consumer of the case cannot be used");
	x->consumer = t->consumer;
	x->route = (struct entity_ref){.id = STR("00000000-0000-4000-8000-000000000004"),
			.name = STR("trial"),
			.json = STR("{\"name\":\"trial\"}")};
	x->service = (struct entity_ref){.id = STR("00000000-0000-4000-8000-000000000005"),
			.name = STR("trial"),
			.json = STR("{\"name\":\"trial\"}")};
	x->route_protocols = STR("http,https");
	t->request = trial_service_request(x, t->request_body);
	t->chain = chain_new(t->engine, x);
	return t->chain != NULL ? 0 : why_errno(why, ENOMEM, "no memory for a request");
}

static void take_report(void *arg, const struct engine_report *report)
{
	struct trial *t = arg;

	if (!report->is_active)
		t->load_why = report->why;
}

static int run_phases(struct trial *t, struct arena *arena, struct why *why)
{
	struct plan *plan;
	uint32_t phases;
	int r = prepare(t, arena, why);

	if (r < 0)
		return r;
	plan = engine_plan(t->engine, t->x.route.id, t->x.service.id);
	phases = plan != NULL ? plan_phases(plan) : 0;
	plan_unref(plan);
	if (run_request(t, phases))
		r = ask_service(t, phases);
	if (r < 0)
		return why_errno(why, -r, "the response of the service cannot be used");
	run_response(t, phases);
	return 0;
}

/* Everything that is logged from now on goes into a pipe. */
static int catch_log(struct trial *t, struct why *why)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return why_errno(why, errno, "cannot make a pipe for the log");
	(void)fcntl(ends[1], F_SETPIPE_SZ, LOG_BYTES_MAX);
	t->log_fd = ends[0];
	if (dup2(ends[1], STDERR_FILENO) < 0)
		return why_errno(why, errno, "cannot take the log");
	close(ends[1]);
	log_set_level(LOG_DEBUG);
	return 0;
}

static json_t *log_text(const struct trial *t)
{
	sl_auto_buf all = {0};
	ssize_t n = 1;

	while (n > 0 && buf_reserve(&all, 65536)) {
		n = read(t->log_fd, all.p + all.n, 65536);
		all.n += n > 0 ? (size_t)n : 0;
	}
	return trial_text(buf_str(&all));
}

static json_t *make_reply(struct trial *t)
{
	json_t *reply = json_pack("{s:b,s:o,s:o,s:o,s:o}", "ok", 1, "log", log_text(t), "phases",
			t->phases, "request", t->request, "response",
			trial_response(&t->x, t->response_body));

	if (t->service_request != NULL) {
		json_object_set_new(reply, "service_request", t->service_request);
		json_object_set_new(reply, "service_response", t->service_response);
	}
	return reply;
}

static void set_conf(struct engine_conf *conf, const struct check *c)
{
	*conf = (struct engine_conf){.level = c->level,
			.limits = {.by_default = c->limits},
			.configure_cpu_ms = CONFIGURE_CPU_MS,
			.node_id = "00000000-0000-4000-8000-000000000000",
			.hostname = "localhost",
			.version = PACKAGE_VERSION,
			.workers_total = 1,
			.trusted_ips = STR("")};
	conf->limits.by_default.log_lines = LOG_LINES_MAX;
}

int trial_run(struct check *c, const json_t *trial, json_t **ret, struct why *why)
{
	static struct engine_conf conf;
	struct trial t = {.question = trial, .phases = json_array()};
	struct snap_view *view = NULL;
	struct arena *arena = NULL;
	int r;

	set_conf(&conf, c);
	/* All that opens files comes before the jail, all that runs the plugin behind it. */
	r = trial_snapshot(c, trial, &view, why);
	if (r == 0)
		r = engine_new(&t.engine, &conf, why);
	if (r == 0)
		r = catch_log(&t, why);
	if (r == 0)
		r = check_enter_jail(c, why);
	if (r != 0)
		return r < 0 ? r : -EIO;
	engine_set_view(t.engine, view, take_report, &t);
	if (arena_new(&arena, REQUEST_BYTES_MAX) < 0)
		return why_errno(why, ENOMEM, "no memory for a request");
	if (t.load_why.text[0] != '\0') {
		*why = t.load_why;
		return -EINVAL;
	}
	end_step(&t, "load");
	r = run_phases(&t, arena, why);
	if (r == 0)
		*ret = make_reply(&t);
	return r;
}
