/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain_run.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/chain_breaker.h"
#include "plugin/chain_now.h"
#include "plugin/chain_trace.h"
#include "plugin/engine_configure.h"
#include "plugin/ngx_socket.h"
#include "plugin/pdk_held.h"
#include "shm/probe.h"

/* Phases whose failure is the client's answer. */
#define ANSWERING \
	(PHASE_BIT(PHASE_CERTIFICATE) | PHASE_BIT(PHASE_REWRITE) | PHASE_BIT(PHASE_ACCESS) | \
			PHASE_BIT(PHASE_RESPONSE))

/* A run seldom fails: its kilobyte of reason is not cleared, only made empty. */
static void why_empty(struct why *why)
{
	why->file[0] = '\0';
	why->line = 0;
	why->text[0] = '\0';
}

static void log_failure(struct chain *c, const struct chain_slot *s, const char *limit,
		const struct why *why)
{
	char place[1200], quoted[1400];

	log_err(limit != NULL ? "plugin stopped at its limit" : "plugin failed",
			"plugin=%s phase=%s%s%s instance=%s request_id=%s error=%s",
			s->version->name, phase_name(c->phase), limit != NULL ? " limit=" : "",
			limit != NULL ? limit : "", s->instance->id, c->x->request.id,
			log_quote(quoted, sizeof(quoted),
					str_of(why_text(why, place, sizeof(place)))));
}

/* What the plugin began to say is void: no plugin runs once another has answered. */
static void drop_answer(struct exchange *x)
{
	if (!x->answer.is_set)
		return;
	x->answer = (struct answer){.is_set = false};
	headers_init(&x->answer.headers, x->arena);
	x->response.source = x->phase == PHASE_RESPONSE ? RESPONSE_FROM_SERVICE : RESPONSE_NOT_YET;
}

static enum chain_outcome failed(
		struct chain *c, const struct chain_slot *s, int status, struct str message)
{
	if ((PHASE_BIT(c->phase) & ANSWERING) == 0)
		return CHAIN_RUN_DONE;
	drop_answer(c->x);
	if (s->instance->is_open)
		return CHAIN_RUN_DONE;
	c->x->is_plugin_fault = true;
	exchange_answer_error(c->x, status, message);
	return CHAIN_RUN_ANSWER;
}

enum chain_outcome chain_run_hold(struct chain *c, const struct chain_slot *s)
{
	return failed(c, s, 503,
			STR("A plugin of this route is suspended: it went over its limits too "
			    "often"));
}

enum chain_outcome chain_run_fail(struct chain *c, uint32_t slot, const char *text)
{
	struct why why = WHY_NONE;

	why_set(&why, NULL, 0, "%s", text);
	c->v[slot].version->totals.errors++;
	log_failure(c, &c->v[slot], NULL, &why);
	return failed(c, &c->v[slot], 500, STR_NONE);
}

/* Counts a trip and words the limit for the log: "cpu_ms=10". */
static void limit_text(struct chain_slot *s, enum vm_status status, char *buf, size_t size)
{
	struct engine_plugin_stat *t = &s->version->totals;
	const struct vm_limits *l = &s->instance->limits;
	const struct {
		uint64_t *count;
		enum limit limit;
	} rows[] = {
			[VM_CPU] = {&t->cpu_trips, LIMIT_cpu_ms},
			[VM_MEMORY] = {&t->memory_trips, LIMIT_memory_mb},
			[VM_OUTPUT] = {&t->output_trips, LIMIT_output_kb},
			[VM_WALL] = {&t->wall_trips, LIMIT_wall_ms},
	};

	if (status == VM_DISCARDED) {
		t->discards++;
		snprintf(buf, size, "%s", vm_status_name(status));
		return;
	}
	++*rows[status].count;
	snprintf(buf, size, "%s=%u", limit_name(rows[status].limit),
			limit_get(l, rows[status].limit));
}

static enum chain_outcome stopped(struct chain *c, struct chain_slot *s, struct engine_box *b,
		enum vm_status status, const struct why *why)
{
	char limit[64];

	s->version->totals.errors++;
	if (status == VM_DISCARDED)
		b->is_dead = true;
	if (status == VM_ERROR) {
		s->has_run = true;
		log_failure(c, s, NULL, why);
	} else {
		limit_text(s, status, limit, sizeof(limit));
		PROBE(budget_trip, c->x->request.id, s->version->name, (int)c->phase, limit);
		log_failure(c, s, limit, why);
		chain_breaker_trip(c, s);
	}
	return failed(c, s, 500, STR_NONE);
}

static void hold_ctx(struct chain_slot *s, struct engine_box *b)
{
	if ((s->pdk.ctx_ref == LUA_NOREF && s->pdk.retry_ref == LUA_NOREF) || s->ctx_box == b)
		return;
	s->ctx_box = b;
	b->refs++;
}

static void add_latency(
		const struct chain *c, const struct chain_slot *s, uint64_t took_ns, bool is_failed)
{
	PROBE(plugin_done, c->x->request.id, s->version->name, (int)c->phase, took_ns,
			exchange_route_name(c->x), (int)is_failed);
	if (s->version->lat_rows != NULL && (unsigned)c->phase < LAT_PHASES)
		histogram_add(&s->version->lat_rows[c->phase], took_ns);
}

/* One clock reading per boundary: where this run ends the next one begins. */
static void record(struct chain *c, const struct chain_slot *s, const struct vm_run *run,
		bool is_failed)
{
	add_latency(c, s, vm_run_took_ns(run, &c->clock_ns), is_failed);
}

static uint32_t ms_until(uint64_t deadline_ns, uint64_t now_ns)
{
	return deadline_ns > now_ns ? (uint32_t)((deadline_ns - now_ns) / 1000000) + 1 : 1;
}

static uint64_t deadline_of(const struct chain *c)
{
	uint32_t wall_ms = c->v[c->parked_slot].instance->limits.wall_ms;

	return wall_ms != 0 ? c->began_ns + (uint64_t)wall_ms * 1000000 : UINT64_MAX;
}

struct chain_now chain_now;

static struct snap_view *view_of(const struct chain *c)
{
	return c->view != NULL ? c->view : engine_view(c->engine);
}

static void set_host(struct chain *c, struct chain_slot *s, struct engine_box *b)
{
	struct pdk_host *host = &b->host;

	/* The table of an earlier phase is in a VM that was replaced since. */
	if (s->ctx_box != NULL && s->ctx_box != b) {
		engine_box_unref(s->ctx_box);
		s->ctx_box = NULL;
		s->pdk.ctx_ref = s->pdk.retry_ref = LUA_NOREF;
	}
	host->exchange = c->x;
	host->phase = c->phase;
	host->view = view_of(c);
	host->instance_id = str_of(s->instance->id);
	host->limits = s->instance->limits;
	host->spent = (struct pdk_spent){.log_lines = 0};
	host->slot = &s->pdk;
	c->x->phase = c->phase;
	chain_now.plugin = s->version->name;
	chain_now.phase = phase_name(c->phase);
	chain_now.request_id = c->x->request.id;
}

static void leave_host(struct chain *c, struct chain_slot *s, struct engine_box *b)
{
	hold_ctx(s, b);
	chain_now.plugin = NULL;
	c->spent = b->host.spent;
	b->host.exchange = NULL;
	b->host.slot = NULL;
}

/* Every thread waits.  A wait for the client's own body is the client's time, bounded by the
 * host. */
static void note_wait(struct chain *c)
{
	const struct exchange_ops *ops = c->x->ops;
	uint64_t deadline_ns = deadline_of(c);

	c->parked_ns = clock_mono_ns();
	c->is_client_waited_for = c->x->request.body.state == BODY_READING;
	if (!c->is_client_waited_for && deadline_ns != UINT64_MAX && ops->limit_wait != NULL)
		ops->limit_wait(c->x, ms_until(deadline_ns, c->parked_ns));
	chain_threads_set_timer(&c->threads, c->x);
}

/* What the VM said of a run that is over; takes it back. */
static enum chain_outcome settle(struct chain *c, uint32_t slot, struct engine_box *b,
		struct vm_run *run, enum vm_status status, const struct why *why)
{
	bool is_ended = status == VM_OK && vm_was_ended(run);

	record(c, &c->v[slot], run, status != VM_OK);
	pdk_held_release(&c->v[slot].pdk, PDK_HELD_RUN);
	vm_run_free(run);
	if (c->x->trace != NULL)
		chain_trace_end(c, &c->v[slot], status != VM_OK ? why : NULL);
	if (status != VM_OK)
		return stopped(c, &c->v[slot], b, status, why);
	c->v[slot].has_run = true;
	return is_ended && c->x->answer.is_set ? CHAIN_RUN_ANSWER : CHAIN_RUN_DONE;
}

/* A thread returned; the method is over with the last. */
static void thread_done(struct chain *c, struct chain_thread *t)
{
	struct chain_slot *s = &c->v[c->parked_slot];

	if (t->id == 0) {
		record(c, s, t->run, false);
		s->has_run = true;
	}
	chain_thread_end(&c->threads, t);
}

/* One segment of a thread.  False: the method is over, with *ret. */
static bool thread_go(struct chain *c, struct chain_thread *t, enum chain_outcome *ret)
{
	struct engine_box *b = c->parked_box;
	struct vm_run *run = t->run;
	struct why why;
	enum vm_status status;

	set_host(c, &c->v[c->parked_slot], b);
	b->host.spent = c->spent;
	why_empty(&why);
	status = chain_thread_run(c->x, t, &why);
	leave_host(c, &c->v[c->parked_slot], b);
	if (status == VM_YIELDED) {
		chain_thread_park(&c->threads, t, &b->host.pending, b->vm);
		return true;
	}
	if (status == VM_OK && !vm_was_ended(run)) {
		thread_done(c, t);
		return true;
	}
	/* exit() and a broken budget end the others with it; an error is the method's own, as
	 * light threads keep theirs for who waits for them */
	t->run = NULL;
	if (status == VM_DISCARDED)
		b->is_dead = true;
	chain_threads_drop(&c->threads);
	*ret = settle(c, c->parked_slot, b, run, status, &why);
	return false;
}

static void parked_box_unref(struct chain *c)
{
	c->clock_ns = 0;
	pdk_held_release(&c->v[c->parked_slot].pdk, PDK_HELD_RUN);
	engine_box_unref(c->parked_box);
	c->parked_box = NULL;
}

/* Until every thread waits, or the method is over. */
static enum chain_outcome threads_go(struct chain *c)
{
	enum chain_outcome outcome = CHAIN_RUN_DONE;
	struct chain_thread *t;

	while ((t = chain_thread_ready(&c->threads, c->x)) != NULL)
		if (!thread_go(c, t, &outcome))
			break;
	if (c->threads.first != NULL) {
		note_wait(c);
		return CHAIN_RUN_WAITS;
	}
	if (t == NULL && c->x->trace != NULL)
		chain_trace_end(c, &c->v[c->parked_slot], NULL);
	parked_box_unref(c);
	return outcome;
}

/* The method's first segment is over: is the method? */
static enum chain_outcome begun(struct chain *c, uint32_t slot, struct engine_box *b,
		struct vm_run *run, enum vm_status status, const struct why *why)
{
	uint64_t took_ns;

	leave_host(c, &c->v[slot], b);
	if (status != VM_YIELDED)
		return settle(c, slot, b, run, status, why);
	took_ns = vm_run_took_ns(run, &c->parked_ns);
	c->began_ns = c->parked_ns - took_ns;
	c->clock_ns = 0;
	c->parked_slot = slot;
	c->parked_box = b;
	b->refs++;
	chain_thread_park(&c->threads, chain_threads_begin(&c->threads, run), &b->host.pending,
			b->vm);
	return threads_go(c);
}

static bool is_usable(const struct engine_box *b)
{
	return b != NULL && !b->is_dead && !vm_is_spoiled(b->vm);
}

bool chain_run_prepare(struct chain *c, uint32_t slot)
{
	struct engine_version *v = c->v[slot].version;

	if (is_usable(v->box) && v->box->is_configured)
		return true;
	c->clock_ns = 0; /* loading is not the plugin's time */
	return engine_ready_box(c->engine, v, c->view != NULL ? c->view : engine_view(c->engine)) !=
	       NULL;
}

enum chain_outcome chain_run(struct chain *c, uint32_t slot, enum phase phase)
{
	struct chain_slot *s = &c->v[slot];
	struct why why;
	struct engine_box *b;
	struct vm_run *run;
	lua_State *L;
	enum vm_status status;
	char text[1200];

	c->phase = phase;
	if ((s->version->phases & PHASE_BIT(phase)) == 0)
		return CHAIN_RUN_DONE;
	if (s->admission != CHAIN_ADMITTED && !chain_breaker_admits(c, s))
		return chain_run_hold(c, s);
	if (!chain_run_prepare(c, slot))
		return chain_run_fail(c, slot, why_text(&s->version->why, text, sizeof(text)));
	b = s->version->box;
	if (b->method_ref[phase] == LUA_NOREF)
		return CHAIN_RUN_DONE;
	run = vm_run_new(b->vm);
	if (run == NULL)
		return chain_run_fail(c, slot, "out of memory");
	vm_run_enter_at(run, c->clock_ns);
	L = vm_run_state(run);
	lua_rawgeti(L, LUA_REGISTRYINDEX, b->method_ref[phase]);
	lua_rawgeti(L, LUA_REGISTRYINDEX, b->handler_ref);
	engine_instance_push_conf(s->instance, b, view_of(c), L);
	set_host(c, s, b);
	vm_run_set_cpu_ms(run, s->instance->limits.cpu_ms);
	if (c->x->trace != NULL)
		chain_trace_begin(c, s);
	s->version->totals.runs++;
	PROBE(plugin_start, c->x->request.id, s->version->name, (int)phase);
	why_empty(&why);
	status = vm_start(run, 2, &why);
	return begun(c, slot, b, run, status, &why);
}

/* host, port of the run's results into the upstream, where there are results; false: they are
 * not of that form. */
static bool take_target(struct chain *c, lua_State *L)
{
	struct exchange_upstream *up = &c->x->upstream;
	double port = lua_gettop(L) >= 2 && lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : -1;
	struct str host;

	if (lua_gettop(L) == 0)
		return true;
	if (lua_type(L, 1) != LUA_TSTRING || !(port >= 0 && port <= 65535))
		return false;
	host.p = lua_tolstring(L, 1, &host.n);
	if (host.n == 0 || !headers_value_is_valid(host) || str_find_char(host, ' ') >= 0)
		return false;
	host = arena_str(c->x->arena, host);
	if (host.p == NULL)
		return false;
	up->host = host;
	up->port = (uint16_t)port;
	return true;
}

bool chain_run_retry(struct chain *c, uint32_t slot)
{
	struct chain_slot *s = &c->v[slot];
	struct engine_box *b = s->ctx_box;
	struct vm_run *run = b != NULL && !b->is_dead ? vm_run_new(b->vm) : NULL;
	const struct exchange_upstream before = c->x->upstream, *now = &c->x->upstream;
	struct why why = WHY_NONE;
	enum vm_status status;

	if (run == NULL)
		return false;
	c->phase = PHASE_BALANCER;
	lua_rawgeti(vm_run_state(run), LUA_REGISTRYINDEX, s->pdk.retry_ref);
	set_host(c, s, b);
	vm_run_set_cpu_ms(run, s->instance->limits.cpu_ms);
	status = vm_start(run, 0, &why);
	if (status == VM_OK && !vm_was_ended(run) && !take_target(c, vm_run_state(run)))
		chain_run_fail(c, slot, "the retry callback must return a host and a port");
	leave_host(c, s, b);
	settle(c, slot, b, run, status, &why);
	return now->port != before.port || !str_eq(now->host, before.host);
}

/* Parked for longer than its phase may last. */
static enum chain_outcome end_of_wait(struct chain *c, uint64_t now_ns)
{
	struct chain_slot *s = &c->v[c->parked_slot];
	struct engine_box *b = c->parked_box;
	struct why why = WHY_NONE;
	enum chain_outcome outcome;

	if (c->x->ops->stop_wait != NULL)
		c->x->ops->stop_wait(c->x);
	add_latency(c, s, now_ns - c->began_ns, true);
	chain_threads_drop(&c->threads);
	why_set(&why, NULL, 0, "was not done after its %u ms", s->instance->limits.wall_ms);
	outcome = stopped(c, s, b, VM_WALL, &why);
	parked_box_unref(c);
	return outcome;
}

enum chain_outcome chain_run_on(struct chain *c)
{
	uint64_t now = clock_mono_ns();

	if (c->is_client_waited_for)
		c->began_ns += now - c->parked_ns;
	if (now >= deadline_of(c))
		return end_of_wait(c, now);
	if (c->parked_box->is_dead) {
		chain_run_drop(c);
		return chain_run_fail(c, c->parked_slot,
				"its VM was discarded while this request waited");
	}
	chain_threads_wake(&c->threads);
	return threads_go(c);
}

void chain_run_drop(struct chain *c)
{
	if (c->threads.first == NULL)
		return;
	chain_threads_drop(&c->threads);
	parked_box_unref(c);
}

void chain_slot_done(struct chain_slot *s)
{
	pdk_held_release(&s->pdk, PDK_HELD_REQUEST);
	if (s->ctx_box != NULL && !s->ctx_box->is_dead) {
		luaL_unref(vm_main(s->ctx_box->vm), LUA_REGISTRYINDEX, s->pdk.ctx_ref);
		luaL_unref(vm_main(s->ctx_box->vm), LUA_REGISTRYINDEX, s->pdk.retry_ref);
	}
	ngx_sockets_close(s->pdk.sockets);
	chain_breaker_done(s);
	engine_box_unref(s->ctx_box);
	engine_instance_unref(s->instance);
	engine_version_unref(s->version);
}
