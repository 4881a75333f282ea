/* SPDX-License-Identifier: Apache-2.0
 *
 * The consumer groups that count for a request: those that a plugin set, else those of the consumer
 * that a plugin named, else those of the consumer that was authenticated.  Looked up when
 * first asked for, and kept for the request.
 */
#pragma once

#include "plugin/exchange.h"

/* By name, in the order of bytes; borrowed until the next call.  NULL: they could not be found out
 * (no memory left for the request). */
const struct group_list *groups_of(struct exchange *x);
/* The same where consumer_id stands for the one who was authenticated. */
const struct group_list *groups_with(struct exchange *x, struct str consumer_id);

/* What a plugin set (an array of tables), NULL = nothing. */
const struct value *groups_set(const struct exchange *x);
/* After what it depends on changed. */
void groups_forget(struct exchange *x);
