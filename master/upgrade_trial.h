/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary is asked whether it could take over (master/handover_check), in a child process with a
 * deadline: whatever it is and does, this process goes on.  libevent; single-threaded.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"

struct event_base;
struct handover;
struct upgrade_trial;

struct upgrade_answer {
	char version[64], build[32];
};

/* answer: it can; NULL: it cannot, or is none, with why.  Borrowed for the call, from which the
 * trial may be freed. */
typedef void upgrade_trial_done_fn(
		void *arg, const struct upgrade_answer *answer, const struct why *why);

/* -errno with why: it cannot even be started; done is not called then. */
int upgrade_trial_new(struct upgrade_trial **ret, struct event_base *base, const char *program,
		const char *conf_file, const struct handover *h, uint32_t timeout_ms,
		upgrade_trial_done_fn *done, void *arg, struct why *why);
/* Kills the child. */
void upgrade_trial_free(struct upgrade_trial *t);
SL_DEFINE_AUTO(upgrade_trial);
