/* SPDX-License-Identifier: Apache-2.0
 *
 * The breakers of the plugins (shm/breaker) as the master has them: it makes the memory, and
 * tells when a worker changed the state of one.  libevent; single-threaded.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/breaker.h"
#include "shm/conf.h"

struct breakers;
struct event_base;
struct handover;

/* changed is called soon after one or more changes.  before: of the image of sluiced before this
 * one, whose breakers these are; NULL: all are closed. */
int breakers_new(struct breakers **ret, struct event_base *base, const struct conf *conf,
		const struct handover *before, void (*changed)(void *arg), void *arg,
		struct why *why);
void breakers_free(struct breakers *b);
SL_DEFINE_AUTO(breakers);

/* For the workers; borrowed. */
int breakers_fd(const struct breakers *b);
const struct breaker *breakers_memory(const struct breakers *b);
