/* SPDX-License-Identifier: Apache-2.0
 *
 * The proxy's listeners: one per worker and proxy_listen address (SO_REUSEPORT), made by the
 * master before any worker and held for its life, so that a worker's crash loses no
 * connection that was waiting in its queue.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"

#define LISTEN_BACKLOG 4096
#define LISTEN_ADDRESSES_MAX 32

struct listeners;

/* list: conf proxy_listen.  Refuses an address that another process listens on, also one that
 * shares it by SO_REUSEPORT.  -errno; why names address and reason. */
int listeners_open(struct listeners **ret, const char *list, uint32_t n_workers, struct why *why);
/* The same with what systemd kept (master/fdstore): listeners there go on, in their order; of more
 * than n_workers as many as there are, up to workers_max: listeners_workers(). */
struct fdstore;
int listeners_restore(struct listeners **ret, const char *list, uint32_t n_workers,
		uint32_t workers_max, struct fdstore *kept, struct why *why);
/* The listeners of the image of sluiced before this one, n_workers of them; the same list.  -errno
 * with why: they are not at these addresses. */
struct handover;
int listeners_adopt(struct listeners **ret, const char *list, const struct handover *before,
		struct why *why);
/* False: there are more than fit. */
bool listeners_hand_over(const struct listeners *l, struct handover *h);
/* A fresh socket for each address of a worker that is gone; `placed` hears of each before the old
 * one is closed, whose queue and half-open handshakes the kernel then gives to others.  One that
 * cannot be made leaves the old one; -errno with why. */
typedef void listener_placed_fn(void *arg, uint32_t worker, unsigned address, int fd);
int listeners_renew(struct listeners *l, uint32_t worker, listener_placed_fn *placed, void *arg,
		struct why *why);
/* One worker more, or one less: its queue goes where the kernel or the steering program gives it
 * once nobody holds a copy.  -errno with why, and nothing changed. */
int listeners_add(struct listeners *l, struct why *why);
void listeners_drop(struct listeners *l);
/* Whether systemd keeps that worker's: a copy there would outlive the last of ours by a moment, in
 * which the kernel might still choose it. */
void listeners_keep(const struct listeners *l, uint32_t worker, bool is_kept);
/* Closes the master's copies. */
void listeners_free(struct listeners *l);
SL_DEFINE_AUTO(listeners);

uint32_t listeners_workers(const struct listeners *l);
/* Addresses per worker. */
unsigned listeners_count(const struct listeners *l);
/* The worker's listener on address i. */
int listeners_fd(const struct listeners *l, uint32_t worker, unsigned i);
/* The port address i is bound to (chosen by the kernel for port 0). */
uint16_t listeners_port(const struct listeners *l, unsigned i);
