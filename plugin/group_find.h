/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups of a consumer in a snapshot.  For the exchange_ops of a host.
 */
#pragma once

#include "plugin/exchange.h"

struct snap_view;

/* Into *ret, of arena a, in no order; a consumer that is not there has none.  False: a is
 * exhausted. */
bool group_find(const struct snap_view *view, struct arena *a, struct str consumer_id,
		struct group_list *ret);
