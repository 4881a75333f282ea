/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request that is over counts for: the worker's counters, and those of its route
 * (shm/traffic).  Worker only.
 */
#pragma once

struct req;

/* Once for each request, after its log phase; x.response_end_ns is set. */
void account_request(struct req *q);
