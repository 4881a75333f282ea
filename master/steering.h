/* SPDX-License-Identifier: Apache-2.0
 *
 * Who gets a connection, as the node does it: the steering program where there is one, else what
 * the kernel has by itself (its hash; SO_INCOMING_CPU for mode cpu).  Owns the board, which is the
 * program's map, or a memfd of the same layout.  Master only; single-threaded.
 *
 * The listeners of a worker feed one slot, at first its first.  A slot gets new connections while
 * it is open here, its worker says READY on the board, and its heartbeat is fresh.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "ebpf/steer.h"
#include "shm/board.h"
#include "shm/conf.h"

/* Between two beats of a worker BOARD_BEAT_MS pass: three missed ones, and new connections go
 * elsewhere, within 100 ms of the last thing it did. */
#define STEERING_STALE_MS 90

struct listeners;
struct pins;
struct steering;

/* node_id: says in bpf_pin_dir whose pins these are.  -errno with why: with `steering: on` also
 * when there is no BPF, or bpf_pin_dir belongs to another node. */
int steering_new(struct steering **ret, const struct conf *conf, const char *node_id,
		uint32_t n_workers, uint32_t n_slots, struct why *why);
/* Of the image of sluiced before this one: its board, its maps and pins, its mode. */
struct handover;
int steering_adopt(struct steering **ret, const struct conf *conf, const struct handover *before,
		struct why *why);
/* False: no memory. */
bool steering_hand_over(const struct steering *s, struct handover *h);
/* The board is unmapped, pins are removed; a program goes with the last listener it is attached
 * to. */
void steering_free(struct steering *s);
SL_DEFINE_AUTO(steering);

struct board *steering_board(const struct steering *s);
/* For workers to inherit.  Borrowed. */
int steering_board_fd(const struct steering *s);

/* So many workers there are now, of those the board has room for. */
void steering_set_workers(struct steering *s, uint32_t n_workers);

/* Before steering_take_listeners(): listeners may be in that array (of a sluiced that is gone) and
 * come from there.  Takes old_socks_fd, may be -1. */
void steering_inherit_socks(struct steering *s, int old_socks_fd);
/* Steers these: address i is group i.  Afterwards steering_place() for single
 * ones.  -errno with why only when `steering: on`. */
int steering_take_listeners(struct steering *s, const struct listeners *l, struct why *why);
/* Before they are freed. */
void steering_drop_listeners(struct steering *s);
/* One socket, listening, for (address, worker); replaces what was there.  Says in the log when it
 * cannot: the kernel's hash then decides for that slot. */
void steering_place(struct steering *s, unsigned address, uint32_t worker, int fd);
void steering_remove(struct steering *s, unsigned address, uint32_t worker);
/* There is the program: what waits at a listener that is closed goes to the others. */
bool steering_is_bpf(const struct steering *s);
/* The worker's listeners feed that slot from now on. */
void steering_move(struct steering *s, uint32_t worker, uint32_t slot);

/* The worker is left out, or no longer: nothing new comes to it, also where the kernel chooses.
 * Handshakes that have begun still end in its queue. */
void steering_set_out(struct steering *s, uint32_t worker, bool is_out);
/* Connections of the slot end with their answers (SLOT_IS_CLOSING), or no longer. */
void steering_set_closing(struct steering *s, uint32_t slot, bool is_closing);

/* From now on the slot may get new connections, or gets none. */
void steering_open(struct steering *s, uint32_t slot);
void steering_close(struct steering *s, uint32_t slot);

/* The worker's process is gone (close its slot first): its listeners are renewed, so that what
 * waits at them goes to the others at once.  Without BPF they are kept: the queue waits for the
 * next worker.
 */
void steering_relisten(struct steering *s, struct listeners *l, uint32_t worker);

/* At once.  -ENOTSUP with why: this mode needs BPF. */
int steering_set_mode(struct steering *s, enum steer_mode mode, struct why *why);

struct steering_report {
	enum steer_mode mode, wanted; /* in force; asked for by configuration or operator */
	bool is_bpf;
	const char *migration; /* "program", "tcp_migrate_req", "none" */
	struct steer_fault fault;
	const char *reason;              /* "" = BPF is there */
	const char *pin_dir, *pin_error; /* one of them is "" */
	struct steer_counts counts;
};
/* Strings live as long as the steering. */
void steering_report(const struct steering *s, struct steering_report *ret);

/* The node's locked bpf_pin_dir; NULL: there is none. */
struct pins *steering_pins(const struct steering *s);
