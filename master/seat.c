/* SPDX-License-Identifier: Apache-2.0 */
#include "master/seat.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/child.h"
#include "master/handover.h"
#include "master/listen.h"
#include "master/spawn.h"
#include "master/steering.h"
#include "master/worker_words.h"

#define SEAT_MAGIC SL_MAGIC('S', 'E', 'A', 'T')
/* Between a signal (SIGABRT leaves a stack in the log) and SIGKILL. */
#define GRACE_MS 1000
/* Beyond the deadline that DRAIN tells. */
#define DRAIN_SLACK_MS 1000

struct seat {
	uint32_t magic;
	const struct seat_shared *shared;
	uint32_t slot;
	struct child *child;
	int channel, wake;
	struct event *readable;
	bool is_ready, is_draining, is_held, has_served;
	uint64_t generation;
	uint32_t n_starts;
	char failure[256];
};

/* ---- what workers say ---- */

static void note_generation(struct seat *s, uint64_t generation)
{
	s->generation = generation;
	s->has_served = s->has_served || generation != 0;
}

static void on_ready(struct seat *s, struct ipc_in *in)
{
	uint32_t pid = ipc_get_u32(in);
	uint64_t generation = ipc_get_u64(in);

	if (s->is_draining)
		return;
	s->is_ready = true;
	note_generation(s, generation);
	s->failure[0] = '\0';
	log_info("worker ready", "slot=%u worker_pid=%u generation=%llu", seat_worker(s), pid,
			(unsigned long long)generation);
	s->shared->events->ready(s->shared->arg, s, generation);
}

static void on_generation_done(struct seat *s, struct ipc_in *in)
{
	uint64_t generation = ipc_get_u64(in);

	if (s->is_draining)
		return;
	note_generation(s, generation);
	if (!s->is_held)
		s->shared->heard->generation_done(s->shared->heard_arg, s->slot, generation);
}

static void on_plugin_state(struct seat *s, struct ipc_in *in)
{
	struct plugin_report r;

	if (worker_read_report(in, &r) && !s->is_draining && !s->is_held)
		s->shared->heard->plugin_state(s->shared->heard_arg, s->slot, &r);
}

static void on_plugin_stats(struct seat *s, struct ipc_in *in)
{
	struct plugin_counts c;

	if (worker_read_counts(in, &c))
		s->shared->heard->plugin_counts(s->shared->heard_arg, s->slot, &c);
}

static void on_failed(struct seat *s, struct ipc_in *in)
{
	struct str text = ipc_get_str(in);
	char quoted[512];

	snprintf(s->failure, sizeof(s->failure), "%.*s", STR_ARG(str_head(text, 255)));
	log_err("worker cannot start", "slot=%u error=%s", seat_worker(s),
			log_quote(quoted, sizeof(quoted), text));
}

static void on_worn_out(struct seat *s, struct ipc_in *in)
{
	uint64_t discards = ipc_get_u64(in);

	if (!s->is_draining && !s->is_held)
		s->shared->events->worn_out(s->shared->arg, s, discards);
}

static void close_channel(struct seat *s)
{
	if (s->readable != NULL)
		event_free(s->readable);
	s->readable = NULL;
	sl_close_fd(&s->channel);
	sl_close_fd(&s->wake);
	s->channel = s->wake = -1;
}

/* A worker runs untrusted code: what it sends is checked, and a lie costs its life. */
static void kill_liar(struct seat *s, const char *what)
{
	log_err("worker broke its channel: replaced", "slot=%u what=\"%s\"", seat_worker(s), what);
	close_channel(s);
	if (seat_pid(s) != 0)
		seat_kill(s, SIGKILL);
}

void seat_tell(struct seat *s, const struct ipc_out *out)
{
	int r = s->channel >= 0 ? ipc_send(s->channel, out) : 0;

	/* a full channel means a worker that has not read for long: the heartbeat decides;
	 * a generation is told by board and eventfd too */
	if (r < 0)
		kill_liar(s, strerror(-r));
}

typedef void message_fn(struct seat *s, struct ipc_in *in);
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
	struct seat *s = arg;
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

/* ---- start and end of a process ---- */

static int listen_to_channel(struct seat *s)
{
	s->readable = event_new(s->shared->base, s->channel, EV_READ | EV_PERSIST, on_channel, s);
	return s->readable == NULL || event_add(s->readable, NULL) < 0 ? -ENOMEM : 0;
}

static int open_channel(struct seat *s, int *ret_theirs, struct why *why)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return why_errno(why, errno, "channel of worker %u", seat_worker(s));
	s->channel = pair[0];
	*ret_theirs = pair[1];
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return why_errno(why, errno, "channel of worker %u", seat_worker(s));
	if (listen_to_channel(s) < 0)
		return why_errno(why, ENOMEM, "channel of worker %u", seat_worker(s));
	return 0;
}

static void set_slot_state(struct seat *s, enum slot_state state)
{
	board_slot_reset(&s->shared->board->slots[s->slot], state, s->n_starts);
}

static int start_worker(void *arg, pid_t *ret, struct why *why)
{
	struct seat *s = arg;
	const struct seat_shared *v = s->shared;
	struct spawn_fd fds[IPC_FD_LISTENERS + LISTEN_ADDRESSES_MAX];
	sl_auto_fd int theirs = -1;
	char number[12];
	char *argv[] = {v->conf.program, (char[]){"--slot"}, number, NULL};
	unsigned n = 0, n_listeners = listeners_count(v->conf.listeners);
	int r;

	close_channel(s);
	s->is_ready = s->is_draining = false;
	s->generation = 0;
	r = open_channel(s, &theirs, why);
	if (r < 0)
		return r;
	s->n_starts++;
	set_slot_state(s, SLOT_STARTING);
	snprintf(number, sizeof(number), "%u", s->slot);
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
	fds[n++] = (struct spawn_fd){v->conf.health_fd, IPC_FD_HEALTH};
	for (unsigned i = 0; i < n_listeners; i++)
		fds[n++] = (struct spawn_fd){listeners_fd(v->conf.listeners, seat_worker(s), i),
				IPC_FD_LISTENERS + (int)i};
	return spawn_program(ret, argv, fds, n, why);
}

static void on_ended(void *arg, int status, bool is_last)
{
	struct seat *s = arg;

	(void)status;
	/* nothing new comes here from now on */
	steering_close(s->shared->conf.steering, s->slot);
	set_slot_state(s, SLOT_DEAD);
	/* its last words */
	s->is_draining = true;
	if (s->channel >= 0)
		on_channel(s->channel, EV_READ, s);
	close_channel(s);
	steering_close(s->shared->conf.steering, s->slot);
	s->is_ready = s->is_draining = false;
	stat_reset_gauges(&s->shared->stat->workers[s->slot]);
	s->shared->events->ended(s->shared->arg, s, is_last);
}

static const struct child_events process_events = {
		.start = start_worker,
		.ended = on_ended,
};

/* ---- life ---- */

int seat_new(struct seat **ret, const struct seat_shared *shared, uint32_t slot, struct why *why)
{
	sl_auto(seat) s = calloc(1, sizeof(*s));
	char name[32];

	if (s == NULL)
		return why_errno(why, ENOMEM, "workers");
	s->magic = SEAT_MAGIC;
	s->shared = shared;
	s->slot = slot;
	s->channel = s->wake = -1;
	snprintf(name, sizeof(name), "sluice-worker %u", seat_worker(s));
	if (child_new(&s->child, shared->base, name, &process_events, s) < 0)
		return why_errno(why, ENOMEM, "workers");
	child_set_delay(s->child, shared->conf.conf->worker_restart_delay_ms);
	*ret = sl_steal(s);
	return 0;
}

void seat_free(struct seat *s)
{
	if (s == NULL)
		return;
	sl_check(s, SEAT_MAGIC);
	child_free(s->child);
	close_channel(s);
	s->magic = 0;
	free(s);
}

void seat_start(struct seat *s)
{
	sl_check(s, SEAT_MAGIC);
	child_start(s->child);
}

static int adopt_channel(struct seat *s, const struct handover_seat *before, struct why *why)
{
	if (before->channel < 0 || before->wake < 0)
		return 0; /* closed: it lied, and ends */
	s->channel = handover_take(before->channel);
	s->wake = handover_take(before->wake);
	if (s->channel < 0 || s->wake < 0)
		return why_errno(why, EBADF, "channel of worker %u", seat_worker(s));
	return listen_to_channel(s) < 0
			       ? why_errno(why, ENOMEM, "channel of worker %u", seat_worker(s))
			       : 0;
}

int seat_adopt(struct seat *s, const struct handover_seat *before, struct why *why)
{
	int r;

	sl_check(s, SEAT_MAGIC);
	s->n_starts = before->starts;
	if (before->pid == 0)
		return 0;
	s->is_ready = before->is_ready;
	s->is_draining = before->is_draining;
	s->has_served = before->has_served;
	s->generation = before->generation;
	r = child_adopt(s->child, before->pid, before->starts, before->started_ms);
	if (r < 0)
		return why_errno(why, -r, "process %d of worker %u", (int)before->pid,
				seat_worker(s));
	if (s->is_draining)
		child_stop(s->child, 0, before->drain_ms);
	return adopt_channel(s, before, why);
}

bool seat_hand_over(const struct seat *s, struct handover_seat *ret)
{
	sl_check(s, SEAT_MAGIC);
	*ret = (struct handover_seat){.slot = s->slot,
			.pid = seat_pid(s),
			.channel = s->channel,
			.wake = s->wake,
			.is_ready = s->is_ready,
			.is_draining = s->is_draining,
			.has_served = s->has_served,
			.generation = s->generation,
			.starts = s->n_starts,
			.started_ms = child_started_ms(s->child),
			.drain_ms = child_grace_ms(s->child)};
	if (ret->pid == 0)
		ret->channel = ret->wake = -1;
	return ret->pid != 0 || ret->starts != 0;
}

void seat_drain(struct seat *s, uint32_t drain_ms)
{
	struct ipc_out out;

	sl_check(s, SEAT_MAGIC);
	steering_close(s->shared->conf.steering, s->slot);
	s->has_served = false;
	if (seat_pid(s) == 0) {
		child_stop(s->child, 0, 0);
		return;
	}
	s->is_draining = true;
	ipc_begin(&out, IPC_DRAIN);
	ipc_put_u32(&out, drain_ms);
	/* one that is not ready yet has nothing to finish */
	child_stop(s->child, s->is_ready ? 0 : SIGKILL, drain_ms + DRAIN_SLACK_MS);
	seat_tell(s, &out);
}

bool seat_end(struct seat *s, int signal)
{
	sl_check(s, SEAT_MAGIC);
	steering_close(s->shared->conf.steering, s->slot);
	s->has_served = false;
	return child_stop(s->child, signal, GRACE_MS);
}

void seat_kill(struct seat *s, int signal)
{
	sl_check(s, SEAT_MAGIC);
	steering_close(s->shared->conf.steering, s->slot);
	if (s->is_draining)
		child_stop(s->child, signal, GRACE_MS);
	else
		child_replace(s->child, signal, GRACE_MS);
}

void seat_hold(struct seat *s, bool is_held)
{
	sl_check(s, SEAT_MAGIC);
	s->is_held = is_held;
	s->has_served = s->has_served && !is_held;
}

void seat_wake(struct seat *s)
{
	uint64_t one = 1;
	ssize_t ignored = s->wake >= 0 ? write(s->wake, &one, sizeof(one)) : 0;

	(void)ignored; /* EAGAIN: it is signalled already */
}

/* ---- questions ---- */

uint32_t seat_slot(const struct seat *s)
{
	return s->slot;
}

uint32_t seat_worker(const struct seat *s)
{
	return s->slot / BOARD_SEATS;
}

pid_t seat_pid(const struct seat *s)
{
	return child_pid(s->child);
}

bool seat_is_ready(const struct seat *s)
{
	return s->is_ready;
}

bool seat_is_draining(const struct seat *s)
{
	return s->is_draining;
}

bool seat_has_served(const struct seat *s)
{
	return s->has_served;
}

uint64_t seat_generation(const struct seat *s)
{
	return s->generation;
}

uint32_t seat_starts(const struct seat *s)
{
	return s->n_starts;
}

uint64_t seat_silent_ms(const struct seat *s)
{
	uint64_t now = clock_mono_ns();
	uint64_t beat = atomic_load(&s->shared->board->slots[s->slot].heartbeat_ns);

	return seat_pid(s) == 0 || beat > now ? 0 : (now - beat) / 1000000;
}

const char *seat_failure(const struct seat *s)
{
	return s->failure;
}
