/* SPDX-License-Identifier: Apache-2.0 */
#include "master/supervise.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/child.h"
#include "master/listen.h"
#include "master/spawn.h"
#include "master/steering.h"
#include "master/worker_words.h"
#include "shm/ipc.h"

#define SUPERVISE_MAGIC SL_MAGIC('S', 'U', 'P', 'V')
/* Between SIGABRT (leaves a core to look at) and SIGKILL. */
#define HANG_GRACE_MS 1000
/* Beyond the deadline that DRAIN tells. */
#define DRAIN_SLACK_MS 1000
/* New connections of a worn-out worker's sockets wait for so long at most. */
#define RECYCLE_DRAIN_MS 5000

struct slot {
	struct supervise *owner;
	uint32_t number;
	struct child *child;
	int channel, wake;
	struct event *readable;
	bool is_ready, is_draining;
	char failure[256];
};

struct supervise {
	uint32_t magic;
	struct event_base *base;
	struct supervise_conf conf;
	const struct supervise_events *events;
	void *arg;

	struct board *board; /* the steering's */
	struct stat_area *stat;
	int stat_fd, conf_fd;
	struct event *heartbeats;
	bool is_stopping;
	struct slot slots[BOARD_SLOTS_MAX];
};

/* ---- what workers say ---- */

static void on_ready(struct slot *s, struct ipc_in *in)
{
	uint32_t pid = ipc_get_u32(in);
	uint64_t generation = ipc_get_u64(in);

	s->is_ready = true;
	s->failure[0] = '\0';
	if (!s->is_draining)
		steering_open(s->owner->conf.steering, s->number);
	log_info("worker ready", "slot=%u worker_pid=%u generation=%llu", s->number, pid,
			(unsigned long long)generation);
	s->owner->events->ready(s->owner->arg, s->number, generation);
}

static void on_generation_done(struct slot *s, struct ipc_in *in)
{
	s->owner->events->generation_done(s->owner->arg, s->number, ipc_get_u64(in));
}

static void on_plugin_state(struct slot *s, struct ipc_in *in)
{
	struct plugin_report r;

	if (worker_read_report(in, &r))
		s->owner->events->plugin_state(s->owner->arg, s->number, &r);
}

static void on_plugin_stats(struct slot *s, struct ipc_in *in)
{
	struct plugin_counts c;

	if (worker_read_counts(in, &c))
		s->owner->events->plugin_counts(s->owner->arg, s->number, &c);
}

static void on_failed(struct slot *s, struct ipc_in *in)
{
	struct str text = ipc_get_str(in);
	char quoted[512];

	snprintf(s->failure, sizeof(s->failure), "%.*s", STR_ARG(str_head(text, 255)));
	log_err("worker cannot start", "slot=%u error=%s", s->number,
			log_quote(quoted, sizeof(quoted), text));
}

static void close_channel(struct slot *s)
{
	if (s->readable != NULL)
		event_free(s->readable);
	s->readable = NULL;
	sl_close_fd(&s->channel);
	sl_close_fd(&s->wake);
	s->channel = s->wake = -1;
}

/* A worker runs untrusted code: what it sends is checked, and a lie costs its life. */
static void kill_liar(struct slot *s, const char *what)
{
	log_err("worker broke its channel: replaced", "slot=%u what=\"%s\"", s->number, what);
	close_channel(s);
	steering_close(s->owner->conf.steering, s->number);
	child_replace(s->child, SIGKILL, HANG_GRACE_MS);
}

static void send_or_replace(struct slot *s, const struct ipc_out *out)
{
	int r = s->channel >= 0 ? ipc_send(s->channel, out) : 0;

	/* a full channel means a worker that has not read for long: the heartbeat decides;
	 * a generation is told by board and eventfd too */
	if (r < 0)
		kill_liar(s, strerror(-r));
}

static void drain_slot(struct slot *s, uint32_t drain_ms)
{
	uint32_t grace_ms = drain_ms + DRAIN_SLACK_MS;
	struct ipc_out out;

	s->is_draining = true;
	steering_close(s->owner->conf.steering, s->number);
	ipc_begin(&out, IPC_DRAIN);
	ipc_put_u32(&out, drain_ms);
	send_or_replace(s, &out);
	/* one that is not ready yet has nothing to finish */
	if (s->owner->is_stopping)
		child_stop(s->child, s->is_ready ? 0 : SIGKILL, grace_ms);
	else
		child_replace(s->child, 0, grace_ms);
}

static void on_worn_out(struct slot *s, struct ipc_in *in)
{
	uint64_t discards = ipc_get_u64(in);

	if (s->owner->is_stopping || s->is_draining || !s->is_ready)
		return;
	log_notice("worker is worn out by discarded plugin VMs: replaced", "slot=%u discards=%llu",
			s->number, (unsigned long long)discards);
	drain_slot(s, RECYCLE_DRAIN_MS);
}

typedef void message_fn(struct slot *s, struct ipc_in *in);
static message_fn *const on_message[IPC_TYPE_COUNT] = {
		[IPC_READY] = on_ready,
		[IPC_GENERATION_DONE] = on_generation_done,
		[IPC_PLUGIN_STATE] = on_plugin_state,
		[IPC_PLUGIN_STATS] = on_plugin_stats,
		[IPC_FAILED] = on_failed,
		[IPC_WORN_OUT] = on_worn_out,
};

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct slot *s = arg;
	struct ipc_in in;
	int r;

	(void)what;
	for (int i = 0; i < 64; i++) {
		r = ipc_recv(fd, &in);
		if (r == IPC_E_AGAIN)
			return;
		if (r == IPC_E_CLOSED) {
			close_channel(s);
			return;
		}
		if (r != 0 || on_message[in.type] == NULL) {
			kill_liar(s, "malformed message");
			return;
		}
		on_message[in.type](s, &in);
		if (s->channel != fd)
			return; /* the owner's answer could not be sent */
		if (!ipc_done(&in)) {
			kill_liar(s, "bad length");
			return;
		}
	}
}

/* ---- start and end of a worker ---- */

static int open_channel(struct slot *s, int *ret_theirs, struct why *why)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return why_errno(why, errno, "channel of worker %u", s->number);
	s->channel = pair[0];
	*ret_theirs = pair[1];
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->readable = event_new(s->owner->base, s->channel, EV_READ | EV_PERSIST, on_channel, s);
	if (s->wake < 0 || s->readable == NULL || event_add(s->readable, NULL) < 0)
		return why_errno(why, errno != 0 ? errno : ENOMEM, "channel of worker %u",
				s->number);
	return 0;
}

static void set_slot_state(struct slot *s, enum slot_state state)
{
	board_slot_reset(&s->owner->board->slots[s->number], state, child_restarts(s->child));
}

static int start_worker(void *arg, pid_t *ret, struct why *why)
{
	struct slot *s = arg;
	struct supervise *v = s->owner;
	struct spawn_fd fds[IPC_FD_LISTENERS + LISTEN_ADDRESSES_MAX];
	sl_auto_fd int theirs = -1;
	char number[12];
	char *argv[] = {v->conf.program, (char[]){"--slot"}, number, NULL};
	unsigned n = 0, n_listeners = listeners_count(v->conf.listeners);
	int r;

	close_channel(s);
	s->is_ready = s->is_draining = false;
	r = open_channel(s, &theirs, why);
	if (r < 0)
		return r;
	set_slot_state(s, SLOT_STARTING);
	snprintf(number, sizeof(number), "%u", s->number);
	fds[n++] = (struct spawn_fd){theirs, IPC_FD_CHANNEL};
	fds[n++] = (struct spawn_fd){v->conf_fd, IPC_FD_CONF};
	fds[n++] = (struct spawn_fd){steering_board_fd(v->conf.steering), IPC_FD_BOARD};
	fds[n++] = (struct spawn_fd){v->stat_fd, IPC_FD_STAT};
	fds[n++] = (struct spawn_fd){s->wake, IPC_FD_WAKE};
	fds[n++] = (struct spawn_fd){v->conf.dict_fd, IPC_FD_DICT};
	fds[n++] = (struct spawn_fd){v->conf.lat_fd, IPC_FD_LAT};
	fds[n++] = (struct spawn_fd){v->conf.lat_names_fd, IPC_FD_LAT_NAMES};
	fds[n++] = (struct spawn_fd){v->conf.traffic_fd, IPC_FD_TRAFFIC};
	fds[n++] = (struct spawn_fd){v->conf.breaker_fd, IPC_FD_BREAKER};
	for (unsigned i = 0; i < n_listeners; i++)
		fds[n++] = (struct spawn_fd){listeners_fd(v->conf.listeners, s->number, i),
				IPC_FD_LISTENERS + (int)i};
	return spawn_program(ret, argv, fds, n, why);
}

static void tell_if_all_stopped(struct supervise *v)
{
	for (uint32_t i = 0; i < v->conf.n_workers; i++) {
		if (child_pid(v->slots[i].child) != 0)
			return;
	}
	v->events->stopped(v->arg);
}

static void on_worker_ended(void *arg, int status, bool is_last)
{
	struct slot *s = arg;
	struct supervise *v = s->owner;

	(void)status;
	/* nothing new comes here from now on; what waits goes to the others */
	steering_close(v->conf.steering, s->number);
	set_slot_state(s, SLOT_DEAD);
	if (!is_last && !v->is_stopping)
		steering_relisten(v->conf.steering, v->conf.listeners, s->number);
	/* its last words */
	if (s->channel >= 0)
		on_channel(s->channel, EV_READ, s);
	close_channel(s);
	steering_close(v->conf.steering, s->number);
	s->is_ready = s->is_draining = false;
	stat_reset_gauges(&v->stat->workers[s->number]);
	v->events->gone(v->arg, s->number);
	if (v->is_stopping)
		tell_if_all_stopped(v);
}

static const struct child_events worker_events = {
		.start = start_worker,
		.ended = on_worker_ended,
};

/* ---- heartbeat ---- */

static void check_heartbeats(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *v = arg;
	uint64_t now = clock_mono_ns(), beat;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < v->conf.n_workers; i++) {
		struct slot *s = &v->slots[i];

		beat = atomic_load(&v->board->slots[i].heartbeat_ns);
		if (child_pid(s->child) == 0 || beat > now ||
				(now - beat) / 1000000 < v->conf.conf->worker_hang_ms)
			continue;
		log_err("worker hangs: replaced", "slot=%u worker_pid=%d silent_ms=%llu", i,
				(int)child_pid(s->child),
				(unsigned long long)((now - beat) / 1000000));
		steering_close(v->conf.steering, i);
		child_replace(s->child, SIGABRT, HANG_GRACE_MS);
	}
}

static int watch_heartbeats(struct supervise *v)
{
	uint32_t every_ms = v->conf.conf->worker_hang_ms / 8 + 1;
	struct timeval tv;

	if (every_ms > 1000)
		every_ms = 1000;
	tv = (struct timeval){.tv_sec = every_ms / 1000,
			.tv_usec = (suseconds_t)(every_ms % 1000) * 1000};
	v->heartbeats = event_new(v->base, -1, EV_PERSIST, check_heartbeats, v);
	return v->heartbeats == NULL || event_add(v->heartbeats, &tv) < 0 ? -ENOMEM : 0;
}

/* ---- life ---- */

static int make_slots(struct supervise *v)
{
	char name[32];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < v->conf.n_workers; i++) {
		struct slot *s = &v->slots[i];

		*s = (struct slot){.owner = v, .number = i, .channel = -1, .wake = -1};
		snprintf(name, sizeof(name), "sluice-worker %u", i);
		r = child_new(&s->child, v->base, name, &worker_events, s);
		if (r == 0)
			child_set_delay(s->child, v->conf.conf->worker_restart_delay_ms);
	}
	return r;
}

int supervise_new(struct supervise **ret, struct event_base *base,
		const struct supervise_conf *conf, const struct supervise_events *events, void *arg,
		struct why *why)
{
	sl_auto(supervise) v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL)
		return why_errno(why, ENOMEM, "workers");
	sl_assert(conf->n_workers <= BOARD_SLOTS_MAX);
	v->magic = SUPERVISE_MAGIC;
	v->base = base;
	v->conf = *conf;
	v->events = events;
	v->arg = arg;
	v->stat_fd = v->conf_fd = -1;
	v->board = steering_board(conf->steering);
	r = stat_create(&v->stat, &v->stat_fd, conf->n_workers, why);
	if (r < 0)
		return r;
	v->conf_fd = conf_to_fd(conf->conf, why);
	if (v->conf_fd < 0)
		return v->conf_fd;
	r = make_slots(v);
	if (r == 0)
		r = watch_heartbeats(v);
	if (r < 0)
		return why_errno(why, -r, "workers");
	*ret = sl_steal(v);
	return 0;
}

void supervise_free(struct supervise *v)
{
	if (v == NULL)
		return;
	sl_check(v, SUPERVISE_MAGIC);
	for (uint32_t i = 0; i < v->conf.n_workers; i++) {
		if (v->slots[i].child == NULL)
			continue;
		child_free(v->slots[i].child);
		close_channel(&v->slots[i]);
	}
	if (v->heartbeats != NULL)
		event_free(v->heartbeats);
	if (v->stat != NULL)
		stat_unmap(v->stat);
	sl_close_fd(&v->stat_fd);
	sl_close_fd(&v->conf_fd);
	v->magic = 0;
	free(v);
}

void supervise_start(struct supervise *v)
{
	sl_check(v, SUPERVISE_MAGIC);
	for (uint32_t i = 0; i < v->conf.n_workers; i++)
		child_start(v->slots[i].child);
}

void supervise_stop(struct supervise *v, uint32_t drain_ms)
{
	sl_check(v, SUPERVISE_MAGIC);
	v->is_stopping = true;
	for (uint32_t i = 0; i < v->conf.n_workers; i++) {
		if (drain_ms != 0)
			drain_slot(&v->slots[i], drain_ms);
		else
			child_stop(v->slots[i].child, SIGKILL, HANG_GRACE_MS);
	}
	tell_if_all_stopped(v);
}

void supervise_publish(struct supervise *v, uint64_t generation)
{
	struct ipc_out out;
	uint64_t one = 1;
	ssize_t ignored;

	sl_check(v, SUPERVISE_MAGIC);
	atomic_store(&v->board->live_generation, generation);
	ipc_begin(&out, IPC_GENERATION);
	ipc_put_u64(&out, generation);
	for (uint32_t i = 0; i < v->conf.n_workers; i++) {
		struct slot *s = &v->slots[i];

		if (s->channel < 0)
			continue;
		send_or_replace(s, &out);
		ignored = s->wake >= 0 ? write(s->wake, &one, sizeof(one)) : 0;
		(void)ignored; /* EAGAIN: it is signalled already */
	}
}

void supervise_set_log_level(struct supervise *v, enum log_level level)
{
	struct ipc_out out;

	ipc_begin(&out, IPC_LOG_LEVEL);
	ipc_put_u32(&out, level);
	for (uint32_t i = 0; i < v->conf.n_workers; i++)
		send_or_replace(&v->slots[i], &out);
}

uint32_t supervise_count(const struct supervise *v)
{
	return v->conf.n_workers;
}

uint32_t supervise_ready(const struct supervise *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->conf.n_workers; i++)
		n += supervise_is_ready(v, i);
	return n;
}

bool supervise_is_ready(const struct supervise *v, uint32_t slot)
{
	return v->slots[slot].is_ready && !v->slots[slot].is_draining;
}

const char *supervise_state(const struct supervise *v, uint32_t slot)
{
	const struct slot *s = &v->slots[slot];

	if (child_pid(s->child) == 0)
		return "down";
	return s->is_draining ? "draining" : s->is_ready ? "ready" : "starting";
}

pid_t supervise_pid(const struct supervise *v, uint32_t slot)
{
	return child_pid(v->slots[slot].child);
}

uint32_t supervise_restarts(const struct supervise *v, uint32_t slot)
{
	return child_restarts(v->slots[slot].child);
}

const char *supervise_failure(const struct supervise *v, uint32_t slot)
{
	return v->slots[slot].failure;
}

const struct stat_area *supervise_stat(const struct supervise *v)
{
	return v->stat;
}
