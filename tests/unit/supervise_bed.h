/* SPDX-License-Identifier: Apache-2.0
 *
 * A master's workers without a master: they are the test program itself, started with --slot, and
 * do what FAKE_WORKER says.  Without steering, with real listeners.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "master/listen.h"
#include "master/steering.h"
#include "master/supervise.h"

/* main() of a worker. */
int fake_worker(uint32_t slot);
/* What workers that start from now on do: "serves"; "empty": without a configuration until there is
 * one; "slow": never finishes; "silent": never becomes ready; "fails": cannot start; "lies". */
void act(const char *mode);

struct bed {
	struct event_base *base;
	struct conf *conf;
	struct listeners *listeners;
	struct steering *steering;
	struct supervise *s;
	char program[256];
	int dummy_fd;
	unsigned n_ready, n_left, n_scaled;
	bool is_stopped;
};

/* n workers of 4, started. */
void open_bed(struct bed *b, const char *mode, uint32_t n);
void close_bed(struct bed *b);
/* Until every process that there is is as wanted: "0 ready, 1 draining". */
void wait_for(struct bed *b, const char *wanted);
/* Until so many replacements were given up. */
void wait_for_failures(struct bed *b, uint64_t n);
