/* SPDX-License-Identifier: Apache-2.0
 *
 * What each worker thinks of the targets of upstreams: a memfd with a region per worker slot, a
 * row for each address that the worker's balancers have.  A worker writes its own region with
 * plain stores; the master reads all of them and asks no worker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

#define HEALTH_ROWS 4096      /* of a worker; addresses past that are not told */
#define HEALTH_ADDRESS_MAX 56 /* "ip:port", "[ip6]:port" */
#define HEALTH_ROW_BYTES 80

enum health_state { HEALTH_FREE, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_NO_ADDRESS };

/* Names a target ("host:port") of an upstream, by name, in every process. */
uint64_t health_target(struct str upstream, struct str target);

/* CLOEXEC.  -errno with why. */
int health_create(int *ret_fd, uint32_t n_slots, struct why *why);

/* ---- worker ---- */

struct health_worker;
struct health_row;

/* Forgets what an earlier worker of this slot thought. */
int health_worker_open(struct health_worker **ret, int fd, uint32_t slot, struct why *why);
void health_worker_free(struct health_worker *h);
SL_DEFINE_AUTO(health_worker);

/* Tells of an address ("": the target's name has none); NULL: there is no row left, or h is NULL.
 */
struct health_row *health_add(struct health_worker *h, uint64_t target, const char *address,
		enum health_state state);
/* NULL allowed, as for the next. */
void health_set(struct health_row *row, enum health_state state);
void health_remove(struct health_worker *h, struct health_row *row);

/* ---- master ---- */

struct health;

int health_open(struct health **ret, int fd, uint32_t n_slots, struct why *why);
void health_free(struct health *h);
SL_DEFINE_AUTO(health);

/* One address of a target, as all the slots that were asked see it: unhealthy when any says so. */
struct health_seen {
	uint64_t target;
	char address[HEALTH_ADDRESS_MAX];
	enum health_state state;
	uint32_t n_healthy, n_unhealthy; /* workers */
};
/* In the order of targets and addresses; free() it.  -ENOMEM. */
int health_look(const struct health *h, const uint32_t *slots, size_t n_slots,
		struct health_seen **ret, size_t *ret_n);
/* The first of a target in what health_look() gave, and how many there are. */
const struct health_seen *health_find(
		const struct health_seen *seen, size_t n, uint64_t target, size_t *ret_n);
