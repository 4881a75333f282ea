/* SPDX-License-Identifier: Apache-2.0 */
#include "master/steering.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "master/fdstore.h"
#include "master/listen.h"
#include "master/listen_share.h"
#include "master/pins.h"
#include "master/steering_state.h"

#define MIGRATE_SWITCH "/proc/sys/net/ipv4/tcp_migrate_req"

static bool is_wanted_by_force(const struct steering *s)
{
	return strcmp(s->conf->steering, "on") == 0;
}

/* ---- with and without the program ---- */

static int load_program(struct steering *s, uint32_t n_slots, struct why *why)
{
	int r = steer_new(&s->program, &s->fault, &s->reason);

	if (r == STEER_E_UNAVAILABLE && is_wanted_by_force(s)) {
		why_set(why, "steering", 0, "is \"on\", but there is no BPF: %s", s->reason.text);
		return -ENOTSUP;
	}
	if (r != 0)
		return r < 0 ? why_errno(why, -r, "steering") : 0;
	steer_set_stale_ms(s->program, STEERING_STALE_MS);
	s->migration = "program";
	s->board_fd = steer_board_fd(s->program);
	return board_adopt(&s->board, s->board_fd, n_slots, why);
}

/* Steering works without pins, so only a conflict, and only with `on`, stops the node. */
static int pin(struct steering *s, const char *node_id, struct why *why)
{
	char text[1200], quoted[1300];
	int r;

	if (s->conf->bpf_pin_dir[0] == '\0') {
		why_set(&s->unpinned, NULL, 0, "bpf_pin_dir is empty");
		return 0;
	}
	r = pins_open(&s->pins, s->conf->bpf_pin_dir, node_id, &s->unpinned);
	if (r == 0)
		r = steer_pin(s->program, s->conf->bpf_pin_dir, &s->unpinned);
	if ((r == -EBUSY || r == -EEXIST) && is_wanted_by_force(s)) {
		*why = s->unpinned;
		return r;
	}
	if (r < 0)
		log_notice("BPF maps are not pinned", "error=%s",
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&s->unpinned, text,
								sizeof(text)))));
	return 0;
}

/* Told only: it is the network namespace's, and nothing here depends on it. */
const char *steering_read_migration(void)
{
	sl_auto_fd int fd = open(MIGRATE_SWITCH, O_RDONLY | O_CLOEXEC);
	char now = '0';

	return fd >= 0 && read(fd, &now, 1) == 1 && now == '1' ? "tcp_migrate_req" : "none";
}

static int make_memory(struct steering *s, uint32_t n_slots, struct why *why)
{
	char quoted[1300];

	s->migration = steering_read_migration();
	if (strcmp(s->conf->steering, "off") == 0)
		why_set(&s->reason, NULL, 0, "steering is off");
	else
		log_warn("no steering by BPF: the kernel picks the worker",
				"step=\"%s\" errno=%d reason=%s migration=%s",
				s->fault.step != NULL ? s->fault.step : "", s->fault.err,
				log_quote(quoted, sizeof(quoted), str_of(s->reason.text)),
				s->migration);
	return board_create(&s->board, &s->board_fd, n_slots, why);
}

struct steering *steering_make(const struct conf *conf)
{
	struct steering *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->magic = STEERING_MAGIC;
	s->conf = conf;
	s->board_fd = s->old_socks_fd = -1;
	s->mode = STEER_KERNEL;
	return s;
}

int steering_new(struct steering **ret, const struct conf *conf, const char *node_id,
		uint32_t n_workers, uint32_t n_slots, struct why *why)
{
	sl_auto(steering) s = steering_make(conf);
	int r = 0;

	if (s == NULL)
		return why_errno(why, ENOMEM, "steering");
	if (!steer_mode_parse(str_of(conf->steering_mode), &s->wanted))
		return why_errno(why, EINVAL, "steering_mode");
	if (strcmp(conf->steering, "off") != 0)
		r = load_program(s, n_slots, why);
	if (r == 0)
		r = s->program != NULL ? pin(s, node_id, why) : make_memory(s, n_slots, why);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < CONF_WORKERS_MAX; i++)
		s->slot_of[i] = i * BOARD_SEATS;
	s->board->seat_shift = 1;
	steering_set_workers(s, n_workers);
	*ret = sl_steal(s);
	return 0;
}

void steering_set_workers(struct steering *s, uint32_t n_workers)
{
	sl_check(s, STEERING_MAGIC);
	atomic_store(&s->board->n_workers, n_workers);
	atomic_store(&s->board->n_live, n_workers * BOARD_SEATS);
}

void steering_free(struct steering *s)
{
	if (s == NULL)
		return;
	sl_check(s, STEERING_MAGIC);
	if (s->board != NULL)
		board_unmap(s->board);
	if (s->program == NULL)
		sl_close_fd(&s->board_fd);
	pins_free(s->pins);
	steer_free(s->program);
	free(s->step);
	sl_close_fd(&s->old_socks_fd);
	s->magic = 0;
	free(s);
}

struct board *steering_board(const struct steering *s)
{
	sl_check(s, STEERING_MAGIC);
	return s->board;
}

int steering_board_fd(const struct steering *s)
{
	return s->board_fd;
}

struct pins *steering_pins(const struct steering *s)
{
	return s->pins;
}

/* ---- modes ---- */

/* The n-th usable CPU, from the beginning again behind the last; -1: unknown. */
static int usable_cpu(uint32_t n)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -1;
	n %= (uint32_t)CPU_COUNT(&set);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set) && n-- == 0)
			return (int)cpu;
	}
	return -1;
}

static void prefer_cpu(const struct steering *s, uint32_t worker, int fd)
{
	int cpu = s->mode == STEER_CPU ? usable_cpu(worker) : -1;

	if (setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, sizeof(cpu)) < 0)
		log_warn("SO_INCOMING_CPU cannot be set", "slot=%u error=\"%s\"", worker,
				strerror(errno));
}

static void prefer_cpus(const struct steering *s)
{
	const struct listeners *l = s->listeners;

	for (uint32_t w = 0; l != NULL && w < listeners_workers(l); w++) {
		for (unsigned i = 0; i < listeners_count(l); i++)
			prefer_cpu(s, w, listeners_fd(l, w, i));
	}
}

static bool is_possible(const struct steering *s, enum steer_mode mode)
{
	return s->program != NULL || mode == STEER_KERNEL || mode == STEER_CPU;
}

/* The kernel's hash knows of nobody who is left out: meanwhile the program chooses for it. */
static void tell_program(struct steering *s)
{
	steer_set_mode(s->program,
			s->mode == STEER_KERNEL && s->out != 0 ? STEER_ROUND_ROBIN : s->mode);
}

static void set_mode(struct steering *s, enum steer_mode mode)
{
	s->mode = mode;
	if (s->program != NULL)
		tell_program(s);
	else
		prefer_cpus(s);
}

int steering_set_mode(struct steering *s, enum steer_mode mode, struct why *why)
{
	sl_check(s, STEERING_MAGIC);
	if (!is_possible(s, mode)) {
		why_set(why, NULL, 0, "%s needs BPF: %s", steer_mode_name(mode), s->reason.text);
		return -ENOTSUP;
	}
	log_notice("steering", "mode=%s before=%s", steer_mode_name(mode),
			steer_mode_name(s->mode));
	s->wanted = mode;
	set_mode(s, mode);
	return 0;
}

/* ---- listeners ---- */

static int attach(struct steering *s, const struct listeners *l, struct why *why)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && s->program != NULL && i < listeners_count(l); i++) {
		for (uint32_t w = 0; !s->are_placed && w < listeners_workers(l); w++)
			steering_place(s, i, w, listeners_fd(l, w, i));
		r = steer_attach(s->program, i, listeners_fd(l, 0, i), why);
	}
	return r;
}

int steering_take_listeners(struct steering *s, const struct listeners *l, struct why *why)
{
	int r;

	sl_check(s, STEERING_MAGIC);
	s->listeners = l;
	r = attach(s, l, &s->reason);
	if (r < 0) {
		s->fault = (struct steer_fault){"attach the steering program", -r};
		if (why != NULL)
			*why = s->reason;
		if (is_wanted_by_force(s))
			return r;
		log_err("steering: the kernel picks the worker", "error=\"%s\"", s->reason.text);
	}
	if (r == 0 && is_possible(s, s->wanted))
		set_mode(s, s->wanted);
	if (s->program != NULL && !s->are_placed) {
		fdstore_drop(FDSTORE_SOCKS);
		fdstore_keep(steer_array_fd(s->program), FDSTORE_SOCKS);
	}
	return 0;
}

void steering_inherit_socks(struct steering *s, int old_socks_fd)
{
	sl_check(s, STEERING_MAGIC);
	s->old_socks_fd = old_socks_fd;
}

void steering_drop_listeners(struct steering *s)
{
	sl_check(s, STEERING_MAGIC);
	s->listeners = NULL;
}

void steering_place(struct steering *s, unsigned address, uint32_t worker, int fd)
{
	int r;

	sl_check(s, STEERING_MAGIC);
	if (s->program == NULL) {
		prefer_cpu(s, worker, fd);
		return;
	}
	r = steer_place(s->program, address, s->slot_of[worker], fd);
	if (r == STEER_E_BUSY && s->old_socks_fd >= 0)
		r = steer_take(s->program, address, s->slot_of[worker], fd, s->old_socks_fd);
	if (r != 0)
		log_err("steering: a listener has no place", "address=%u slot=%u error=\"%s\"",
				address, worker, r > 0 ? "it is in a place already" : strerror(-r));
}

void steering_remove(struct steering *s, unsigned address, uint32_t worker)
{
	sl_check(s, STEERING_MAGIC);
	if (s->program != NULL)
		steer_remove(s->program, address, s->slot_of[worker]);
}

bool steering_is_bpf(const struct steering *s)
{
	sl_check(s, STEERING_MAGIC);
	return s->program != NULL;
}

/* Also for the number of listeners there are now. */
static void share(struct steering *s)
{
	struct why why = WHY_NONE;
	char text[1200];

	if (s->program != NULL)
		tell_program(s);
	else if (s->listeners != NULL && listeners_share(s->listeners, s->out, &why) < 0)
		log_err("a worker that is left out still gets connections", "error=\"%s\"",
				why_text(&why, text, sizeof(text)));
}

void steering_set_out(struct steering *s, uint32_t worker, bool is_out)
{
	uint64_t bit = 1ULL << worker;

	sl_check(s, STEERING_MAGIC);
	s->out = is_out ? s->out | bit : s->out & ~bit;
	share(s);
}

void steering_set_closing(struct steering *s, uint32_t slot, bool is_closing)
{
	sl_check(s, STEERING_MAGIC);
	if (is_closing)
		atomic_fetch_or(&s->board->slots[slot].master_flags, SLOT_IS_CLOSING);
	else
		atomic_fetch_and(&s->board->slots[slot].master_flags, ~SLOT_IS_CLOSING);
}

/* Between the two no place has the socket, and the kernel's hash decides. */
void steering_move(struct steering *s, uint32_t worker, uint32_t slot)
{
	const struct listeners *l = s->listeners;

	sl_check(s, STEERING_MAGIC);
	for (unsigned i = 0; l != NULL && i < listeners_count(l); i++)
		steering_remove(s, i, worker);
	s->slot_of[worker] = slot;
	for (unsigned i = 0; l != NULL && i < listeners_count(l); i++)
		steering_place(s, i, worker, listeners_fd(l, worker, i));
}

void steering_open(struct steering *s, uint32_t slot)
{
	sl_check(s, STEERING_MAGIC);
	atomic_fetch_or(&s->board->slots[slot].master_flags, SLOT_IS_OPEN);
}

void steering_close(struct steering *s, uint32_t slot)
{
	sl_check(s, STEERING_MAGIC);
	atomic_fetch_and(&s->board->slots[slot].master_flags, ~SLOT_IS_OPEN);
}

static void on_renewed(void *arg, uint32_t worker, unsigned address, int fd)
{
	steering_place(arg, address, worker, fd);
}

void steering_relisten(struct steering *s, struct listeners *l, uint32_t worker)
{
	struct why why = WHY_NONE;
	char text[1200];

	sl_check(s, STEERING_MAGIC);
	if (s->program == NULL)
		return;
	if (listeners_renew(l, worker, on_renewed, s, &why) < 0)
		log_err("a listener cannot be renewed: what waits there waits for the next worker",
				"slot=%u error=\"%s\"", worker, why_text(&why, text, sizeof(text)));
}

/* ---- what there is to tell ---- */

void steering_report(const struct steering *s, struct steering_report *ret)
{
	sl_check(s, STEERING_MAGIC);
	*ret = (struct steering_report){.mode = s->mode,
			.wanted = s->wanted,
			.is_bpf = s->program != NULL,
			.migration = s->migration,
			.fault = s->fault,
			.reason = s->reason.text,
			.pin_dir = s->pins != NULL ? pins_dir(s->pins) : "",
			.pin_error = s->unpinned.text};
	if (s->program != NULL)
		steer_get_counts(s->program, &ret->counts);
}
