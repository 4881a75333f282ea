/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's traffic by route (shm/traffic): made here, handed to workers, told as JSON and
 * Prometheus text.  The other end of worker/account.  Single-threaded.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/why.h"
#include "shm/conf.h"

struct account;
struct handover;

/* before: what the image of sluiced before this one counted in; NULL: nothing yet. */
int account_new(struct account **ret, const struct conf *conf, uint32_t n_slots,
		const struct handover *before, struct why *why);
void account_free(struct account *a);
SL_DEFINE_AUTO(account);

/* For workers to inherit; borrowed. */
int account_fd(const struct account *a);

/* {"routes":[{"id","route","service","requests","bytes_in","bytes_out","statuses":{"200":n},
 * "request":{"count","sum_ns","max_ns","p50_ns","p90_ns","p99_ns","p999_ns","buckets"},
 * "service_time":…,"gateway":…},…]}: since the node started; id "" = no route matched. */
json_t *account_json(const struct account *a);
/* Kong's names: kong_http_requests_total, kong_bandwidth_bytes and the three latencies. */
void account_prometheus(const struct account *a, struct buf *out);
