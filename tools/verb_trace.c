/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "ebpf/tracer.h"
#include "plugin/phase.h"
#include "tools/duration.h"
#include "tools/node_link.h"
#include "tools/spread.h"
#include "tools/verbs.h"

#define PIDS_MAX 256
#define ASK_AGAIN_MS 1000

struct tracing {
	const struct ctl *ctl;
	struct trace_filter filter;
	uint64_t left; /* lines; 0 = no end */
	bool is_counted, is_over;
	uint64_t real_offset_ns; /* real clock − monotonic clock */
	uint32_t pids[PIDS_MAX]; /* this node's workers */
	unsigned n_pids;
	uint64_t asked_ms;
};

static volatile sig_atomic_t is_ended;

static void on_end(int sig)
{
	(void)sig;
	is_ended = 1;
}

/* ---- whose events ---- */

static int ask_pids(struct tracing *t, struct why *why)
{
	json_t *doc = NULL;
	const json_t *worker;
	size_t i;
	int code, r = node_link_ask(t->ctl->prefix, "GET", "/workers", &code, &doc, why);

	t->asked_ms = clock_mono_ms();
	if (r < 0)
		return r;
	t->n_pids = 0;
	json_array_foreach (json_object_get(doc, "workers"), i, worker) {
		json_int_t pid = json_integer_value(json_object_get(worker, "pid"));

		if (pid > 0 && t->n_pids < PIDS_MAX)
			t->pids[t->n_pids++] = (uint32_t)pid;
	}
	json_decref(doc);
	return 0;
}

static bool knows_pid(const struct tracing *t, uint32_t pid)
{
	for (unsigned i = 0; i < t->n_pids; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

/* Several nodes may run the same program; a worker may have been replaced. */
static bool is_ours(struct tracing *t, uint32_t pid)
{
	if (!knows_pid(t, pid) && clock_mono_ms() - t->asked_ms >= ASK_AGAIN_MS)
		ask_pids(t, &WHY_NONE);
	return knows_pid(t, pid);
}

/* ---- lines ---- */

static const char *phase_word(const struct trace_event *e)
{
	return phase_name((enum phase)e->phase);
}

static json_t *event_json(const struct trace_event *e)
{
	static const char *const kinds[] = {"plugin", "request", "trip", "reload"};
	json_t *doc = json_pack("{s:s, s:i, s:I}", "event", kinds[e->kind & 3], "worker_pid",
			(int)e->pid, "took_ns", (json_int_t)e->took_ns);

	if (e->kind == TRACE_RELOAD) {
		json_object_set_new(doc, "generation", json_integer((json_int_t)e->number));
		return doc;
	}
	json_object_set_new(doc, "request_id", json_string(e->id));
	json_object_set_new(doc, e->kind == TRACE_TRIP ? "limit" : "route", json_string(e->route));
	if (e->kind == TRACE_REQUEST) {
		json_object_set_new(doc, "status", json_integer((json_int_t)e->number));
		return doc;
	}
	json_object_set_new(doc, "plugin", json_string(e->plugin));
	json_object_set_new(doc, "phase", json_string(phase_word(e)));
	json_object_set_new(doc, "failed", json_boolean(e->is_failed));
	return doc;
}

static void print_json_line(const struct trace_event *e, uint64_t real_ns)
{
	json_t *doc = event_json(e);

	json_object_set_new(doc, "at_ms", json_integer((json_int_t)(real_ns / 1000000)));
	json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

static void print_time_of_day(uint64_t real_ns)
{
	time_t s = (time_t)(real_ns / 1000000000U);
	struct tm tm;
	char text[16];

	localtime_r(&s, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%06u ", text, (unsigned)(real_ns % 1000000000U / 1000));
}

static void print_line(const struct trace_event *e, uint64_t real_ns)
{
	char took[SPREAD_TIME_MAX];

	spread_time(took, e->took_ns, 1);
	print_time_of_day(real_ns);
	if (e->kind == TRACE_PLUGIN)
		printf("plugin   %9s  %s %s route=%s%s request_id=%s pid=%u\n", took, e->plugin,
				phase_word(e), e->route, e->is_failed ? " FAILED" : "", e->id,
				e->pid);
	else if (e->kind == TRACE_REQUEST)
		printf("request  %9s  %u route=%s request_id=%s pid=%u\n", took,
				(unsigned)e->number, e->route, e->id, e->pid);
	else if (e->kind == TRACE_TRIP)
		printf("trip     %9s  %s %s limit=%s request_id=%s pid=%u\n", "-", e->plugin,
				phase_word(e), e->route, e->id, e->pid);
	else
		printf("reload   %9s  generation=%llu pid=%u\n", took,
				(unsigned long long)e->number, e->pid);
}

/* tracer_fn */
static void on_event(void *arg, const struct trace_event *e)
{
	struct tracing *t = arg;
	uint64_t real_ns = e->at_ns + t->real_offset_ns;

	if (t->is_over || !is_ours(t, e->pid))
		return;
	if (t->ctl->is_json)
		print_json_line(e, real_ns);
	else
		print_line(e, real_ns);
	t->is_over = t->is_counted && --t->left == 0;
}

/* ---- options ---- */

static bool read_phase(const char *text, __u32 *ret)
{
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		if (strcmp(phase_name((enum phase)p), text) == 0) {
			*ret = p;
			return true;
		}
	return false;
}

static void read_name(char to[TRACE_NAME_MAX], __u32 *ret_bytes, const char *from)
{
	if (from == NULL)
		return;
	snprintf(to, TRACE_NAME_MAX, "%s", from);
	*ret_bytes = (__u32)strlen(to) + 1;
}

/* What is wrong; NULL: nothing. */
static const char *read_options(struct tracing *t)
{
	const struct ctl *c = t->ctl;
	uint64_t slower_than_ns = 0;

	t->filter.phase = TRACE_PHASE_ANY;
	read_name(t->filter.plugin, &t->filter.plugin_bytes, c->plugin);
	read_name(t->filter.route, &t->filter.route_bytes, c->route);
	if (c->slower_than != NULL && !duration_parse(c->slower_than, &slower_than_ns))
		return "--slower-than takes a duration: 250us, 1ms, 2s";
	t->filter.slower_than_ns = slower_than_ns;
	if (c->phase != NULL && !read_phase(c->phase, &t->filter.phase))
		return "--phase takes rewrite, access, response, header_filter, body_filter or log";
	t->is_counted = c->count != NULL;
	if (t->is_counted && (!str_to_u64(str_of(c->count), &t->left) || t->left == 0))
		return "--count takes a number above 0";
	return NULL;
}

/* ---- the run ---- */

static int find_program(const struct tracing *t, char *ret, size_t size, struct why *why)
{
	char link[40];
	ssize_t n;

	if (t->n_pids == 0) {
		why_set(why, NULL, 0, "this node runs no worker");
		return -ENOENT;
	}
	/* through /proc: also when the file was replaced since */
	snprintf(link, sizeof(link), "/proc/%u/exe", t->pids[0]);
	n = readlink(link, ret, size - 1);
	if (n < 0)
		return why_errno(why, errno, "%s", link);
	ret[n] = '\0';
	if (access(ret, R_OK) != 0)
		snprintf(ret, size, "%s", link);
	return 0;
}

static int follow(struct tracing *t, struct tracer *trace)
{
	int r = 0;

	while (r == 0 && !is_ended && !t->is_over) {
		r = tracer_poll(trace, 100);
		fflush(stdout);
	}
	if (tracer_lost(trace) != 0)
		fprintf(stderr, "sluicectl: %llu events found no room and are not shown\n",
				(unsigned long long)tracer_lost(trace));
	return r == -EINTR ? 0 : r;
}

static int run(struct tracing *t, struct why *why)
{
	const struct sigaction end = {.sa_handler = on_end};
	sl_auto(tracer) trace = NULL;
	char program[4096];
	int r = ask_pids(t, why);

	if (r == 0)
		r = find_program(t, program, sizeof(program), why);
	if (r == 0)
		r = tracer_new(&trace, program, &t->filter, on_event, t, why);
	if (r < 0)
		return r;
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	t->real_offset_ns = clock_real_ns() - clock_mono_ns();
	fprintf(stderr, "tracing %u workers; Ctrl-C ends it\n", t->n_pids);
	return follow(t, trace);
}

enum ctl_exit verb_trace(const struct ctl *ctl)
{
	struct tracing t = {.ctl = ctl};
	struct why why = WHY_NONE;
	const char *wrong = read_options(&t);
	char buf[1200];

	if (wrong != NULL) {
		fprintf(stderr, "sluicectl: %s\n", wrong);
		return CTL_USAGE;
	}
	if (run(&t, &why) == 0)
		return CTL_OK;
	fprintf(stderr, "sluicectl: %s\n", why_text(&why, buf, sizeof(buf)));
	return CTL_UNREACHABLE;
}
