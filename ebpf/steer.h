/* SPDX-License-Identifier: Apache-2.0
 *
 * The steering program and its maps: loaded, fed with listeners, switched and read by the master
 * only.  A worker maps the board by an inherited fd and knows nothing of BPF.  Built --without-bpf
 * the same functions exist, and steer_new() says STEER_E_UNAVAILABLE.
 *
 * A group is a listening address; a slot is a place on the board.  A socket is in one place at
 * most, of one array at most.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "ebpf/steer_shared.h"

#define STEER_E_UNAVAILABLE 1 /* no BPF here: why and the fault say what is missing */
#define STEER_E_BUSY 2        /* the socket is in a place already, maybe of another array */
#define STEER_E_EMPTY 3       /* nothing was there */

struct steer;

/* What failed, for reports that outlive the log. */
struct steer_fault {
	const char *step; /* "create a map", "load the program", …; NULL = nothing */
	int err;          /* errno */
};

/* The maps of a steering program that another image of this process loaded and attached, inherited
 * through exec. */
struct steer_maps {
	int board, socks, groups, tune;
};

/* Creates the maps and loads the program; nothing is steered before steer_attach().  0,
 * STEER_E_UNAVAILABLE with why and *ret_fault, -errno. */
int steer_new(struct steer **ret, struct steer_fault *ret_fault, struct why *why);
/* The same on these maps: who has which place, counts and the board go on; the program before this
 * one steers until steer_attach().  The descriptors stay the caller's. */
int steer_new_on(struct steer **ret, const struct steer_maps *maps, struct steer_fault *ret_fault,
		struct why *why);
/* Borrowed. */
void steer_get_maps(const struct steer *s, struct steer_maps *ret);
/* The program stays attached to listeners that live on. */
void steer_free(struct steer *s);
SL_DEFINE_AUTO(steer);

/* The board's map (shm/board: board_adopt, board_map).  Borrowed. */
int steer_board_fd(const struct steer *s);

/* Makes `group` the address of this listener and steers every listener of that address, now and
 * later.  fd: bound, listening.  Replaces another program (of a master before this one).  -errno
 * with why. */
int steer_attach(struct steer *s, unsigned group, int fd, struct why *why);
/* Connections for (group, slot) go to this listener from now on; what was there is replaced.  fd:
 * listening.  0, STEER_E_BUSY, -errno. */
int steer_place(struct steer *s, unsigned group, unsigned slot, int fd);
/* 0, STEER_E_EMPTY, -errno.  Closing the listener everywhere does it, too. */
int steer_remove(struct steer *s, unsigned group, unsigned slot);
/* As steer_place() for a listener that the array of another master holds, one that crashed and
 * whose descriptors were kept: it is deleted there.  Between the two the kernel's hash decides. */
int steer_take(struct steer *s, unsigned group, unsigned slot, int fd, int old_array_fd);
/* To be kept for steer_take().  Borrowed. */
int steer_array_fd(const struct steer *s);

/* At once, for the next connection. */
void steer_set_mode(struct steer *s, enum steer_mode mode);
/* Slots whose heartbeat is older get nothing new. */
void steer_set_stale_ms(struct steer *s, uint32_t stale_ms);
void steer_get_counts(const struct steer *s, struct steer_counts *ret);

/* Pins program and maps below dir (a BPF file system).  -errno with why. */
int steer_pin(struct steer *s, const char *dir, struct why *why);
/* The program alone: the maps are there since the program before this one. */
int steer_pin_program(struct steer *s, const char *dir, struct why *why);

/* steer_mode.c: also without BPF */
/* "least_conn" */
const char *steer_mode_name(enum steer_mode mode);
bool steer_mode_parse(struct str name, enum steer_mode *ret);
/* "least_conn, hash_ip, …" */
const char *steer_mode_list(void);
