/* SPDX-License-Identifier: Apache-2.0
 *
 * What sluice-check said to the requests of one operation.  A request that was not asked
 * yet becomes wanted; verdicts_run() asks all wanted ones, a few children at a time.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "plugin/check_client.h"

struct event_base;
struct verdicts;

int verdicts_new(struct verdicts **ret, struct event_base *base,
		const struct check_client_conf *conf);
/* Kills what still runs. */
void verdicts_free(struct verdicts *v);
SL_DEFINE_AUTO(verdicts);

/* Borrowed; NULL = wanted now.  A verdict that could not be had in several tries (sluice-check
 * did not start, was killed, came to no end) is {"unavailable":text}. */
const json_t *verdicts_get(struct verdicts *v, const json_t *request);
bool verdicts_is_waiting(const struct verdicts *v);
/* done is called once from the event loop, when every wanted verdict is there. */
void verdicts_run(struct verdicts *v, void (*done)(void *arg), void *arg);
