/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents of the status API, as jansson objects (new references; NULL: no memory).
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "master/status.h"

json_t *status_doc_status(const struct status_sources *s);
/* *ret_code: 200, or 503 with the reason as message. */
/* The node drains, or stops. */
bool status_is_draining(const struct status_sources *s);
json_t *status_doc_ready(const struct status_sources *s, int *ret_code);
json_t *status_doc_workers(const struct status_sources *s);
json_t *status_doc_plugins(const struct status_sources *s);
json_t *status_doc_generations(const struct status_sources *s);
json_t *status_doc_steering(const struct status_sources *s);

/* Prometheus text, with Kong's names where the concept is the same. */
void status_metrics(const struct status_sources *s, struct buf *out);
