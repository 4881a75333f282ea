/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/master_link.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/ipc.h"
#include "worker/worker.h"

struct plugin_sums {
	uint64_t runs, errors, cpu_trips, memory_trips, wall_trips, output_trips, discards, held;
	uint64_t memory_bytes;
};

struct master_link {
	struct worker *w;
	struct event channel, wake;
	struct plugin_sums last;
	bool has_asked; /* to be replaced */
};

static void tell(struct ipc_out *out)
{
	int r = ipc_send(IPC_FD_CHANNEL, out);

	if (r != 0 && r != IPC_E_CLOSED)
		log_warn("message to the master was lost", "error=%d", r);
}

static void on_drain(struct worker *w, struct ipc_in *in)
{
	uint32_t deadline_ms = ipc_get_u32(in);

	if (ipc_done(in))
		worker_drain(w, deadline_ms);
}

static void on_log_level(struct worker *w, struct ipc_in *in)
{
	uint32_t level = ipc_get_u32(in);

	(void)w;
	if (ipc_done(in) && level <= LOG_EMERG)
		log_set_level((enum log_level)level);
}

static void on_generation(struct worker *w, struct ipc_in *in)
{
	ipc_get_u64(in);
	if (ipc_done(in))
		worker_switch_generation(w);
}

static void on_target(struct worker *w, struct ipc_in *in)
{
	struct str upstream = ipc_get_str(in), target = ipc_get_str(in);
	struct str address = ipc_get_str(in);
	bool is_healthy = ipc_get_u8(in) != 0;

	if (ipc_done(in))
		balancers_set_health(w->balancers, upstream, target, address, is_healthy);
}

static void (*const handlers[IPC_TYPE_COUNT])(struct worker *w, struct ipc_in *in) = {
		[IPC_DRAIN] = on_drain,
		[IPC_LOG_LEVEL] = on_log_level,
		[IPC_GENERATION] = on_generation,
		[IPC_TARGET] = on_target,
};

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	static struct ipc_in in;
	struct master_link *m = arg;
	int r;

	(void)what;
	while ((r = ipc_recv(fd, &in)) == 0)
		if (handlers[in.type] != NULL)
			handlers[in.type](m->w, &in);
	if (r == IPC_E_AGAIN)
		return;
	event_del(&m->channel);
	if (r == IPC_E_CLOSED) {
		/* what waits is taken, what was begun is finished; then there is nobody to serve
		 * for */
		log_notice("the master is gone: finishing requests", NULL);
		worker_drain(m->w, m->w->conf->shutdown_timeout_ms);
		return;
	}
	/* one that we do not understand */
	log_err("no message of the master makes sense: leaving", "reason=%d", r);
	event_base_loopbreak(m->w->base);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct master_link *m = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		worker_switch_generation(m->w);
}

/* ---- the death of the master ---- */

#define DEATH_SIGNAL SIGUSR2
#define OUTLIVE_SLACK_S 3

static unsigned outlive_s = OUTLIVE_SLACK_S;
static pid_t master_pid;

/* Also in the middle of a loop that never ends. */
static void on_death(int sig)
{
	(void)sig;
	if (getppid() != master_pid)
		alarm(outlive_s); /* SIGALRM: the end */
}

/* A signal to the whole group (Ctrl-C, a closed terminal, a service manager) must not cut off the
 * requests that the master lets finish. */
void master_link_take_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGHUP};
	struct sigaction sa = {.sa_handler = on_death, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	master_pid = getppid();
	sigaction(DEATH_SIGNAL, &sa, NULL);
	prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL);
}

int master_link_open(struct worker *w, struct why *why)
{
	struct master_link *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return why_errno(why, ENOMEM, "master link");
	m->w = w;
	w->master = m;
	outlive_s = w->conf->shutdown_timeout_ms / 1000 + OUTLIVE_SLACK_S;
	evutil_make_socket_nonblocking(IPC_FD_CHANNEL);
	evutil_make_socket_nonblocking(IPC_FD_WAKE);
	event_assign(&m->channel, w->base, IPC_FD_CHANNEL, EV_READ | EV_PERSIST, on_message, m);
	event_assign(&m->wake, w->base, IPC_FD_WAKE, EV_READ | EV_PERSIST, on_wake, m);
	if (event_add(&m->channel, NULL) != 0 || event_add(&m->wake, NULL) != 0)
		return why_errno(why, ENOMEM, "master link");
	return 0;
}

void master_link_free(struct master_link *m)
{
	if (m == NULL)
		return;
	event_del(&m->channel);
	event_del(&m->wake);
	free(m);
}

void master_link_ready(struct worker *w)
{
	static struct ipc_out out;

	ipc_begin(&out, IPC_READY);
	ipc_put_u32(&out, (uint32_t)getpid());
	ipc_put_u64(&out, atomic_load_explicit(&w->me->generation, memory_order_relaxed));
	tell(&out);
}

void master_link_generation_done(struct worker *w)
{
	static struct ipc_out out;

	ipc_begin(&out, IPC_GENERATION_DONE);
	ipc_put_u64(&out, atomic_load_explicit(&w->me->generation, memory_order_relaxed));
	tell(&out);
}

void master_link_plugin_state(struct worker *w, const struct engine_report *report)
{
	static struct ipc_out out;

	(void)w;
	ipc_begin(&out, IPC_PLUGIN_STATE);
	ipc_put_str(&out, report->id);
	ipc_put_u64(&out, report->version);
	ipc_put_u8(&out, report->is_active);
	ipc_put_u64(&out, report->version_in_force);
	ipc_put_str(&out, str_of(report->why.file));
	ipc_put_u32(&out, (uint32_t)report->why.line);
	ipc_put_str(&out, str_of(report->why.text));
	tell(&out);
}

static void tell_stat(void *arg, const struct engine_plugin_stat *s)
{
	static struct ipc_out out;
	struct plugin_sums *sums = arg;

	sums->runs += s->runs;
	sums->errors += s->errors;
	sums->cpu_trips += s->cpu_trips;
	sums->memory_trips += s->memory_trips;
	sums->wall_trips += s->wall_trips;
	sums->output_trips += s->output_trips;
	sums->discards += s->discards;
	sums->held += s->held;
	sums->memory_bytes += s->memory_bytes;
	ipc_begin(&out, IPC_PLUGIN_STATS);
	ipc_put_str(&out, s->plugin);
	ipc_put_str(&out, (struct str){(const char *)s->version_sha256, 32});
	ipc_put_u64(&out, s->runs);
	ipc_put_u64(&out, s->errors);
	ipc_put_u64(&out, s->cpu_trips);
	ipc_put_u64(&out, s->memory_trips);
	ipc_put_u64(&out, s->wall_trips);
	ipc_put_u64(&out, s->output_trips);
	ipc_put_u64(&out, s->discards);
	ipc_put_u64(&out, s->held);
	ipc_put_u64(&out, s->cpu_ns);
	ipc_put_u64(&out, s->memory_bytes);
	ipc_send(IPC_FD_CHANNEL, &out);
}

/* Versions come and go with their numbers; a counter of the worker never goes back. */
static void advance(_Atomic uint64_t *counter, uint64_t now, uint64_t last)
{
	if (now > last)
		stat_add(counter, now - last);
}

void master_link_plugin_stats(struct worker *w)
{
	struct plugin_sums now = {.runs = 0}, *last = &w->master->last;

	if (w->engine == NULL)
		return;
	engine_stats(w->engine, tell_stat, &now);
	advance(&w->stat->plugin_runs, now.runs, last->runs);
	advance(&w->stat->plugin_errors, now.errors, last->errors);
	advance(&w->stat->plugin_cpu_trips, now.cpu_trips, last->cpu_trips);
	advance(&w->stat->plugin_memory_trips, now.memory_trips, last->memory_trips);
	advance(&w->stat->plugin_wall_trips, now.wall_trips, last->wall_trips);
	advance(&w->stat->plugin_output_trips, now.output_trips, last->output_trips);
	advance(&w->stat->plugin_discards, now.discards, last->discards);
	advance(&w->stat->plugin_held, now.held, last->held);
	stat_set(&w->stat->memory_vm_bytes, now.memory_bytes);
	*last = now;
}

void master_link_worn_out(struct worker *w, uint64_t discards)
{
	static struct ipc_out out;

	if (w->master->has_asked)
		return;
	ipc_begin(&out, IPC_WORN_OUT);
	ipc_put_u64(&out, discards);
	w->master->has_asked = ipc_send(IPC_FD_CHANNEL, &out) == 0;
}

void master_link_failed(const struct why *why)
{
	static struct ipc_out out;
	char text[sizeof(struct why)];

	ipc_begin(&out, IPC_FAILED);
	ipc_put_str(&out, str_of(why_text(why, text, sizeof(text))));
	ipc_send(IPC_FD_CHANNEL, &out);
}
