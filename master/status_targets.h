/* SPDX-License-Identifier: Apache-2.0
 *
 * /upstreams/health of the status API: what workers think of targets, and an operator's word on
 * them.  Each gives a new document and the status of the answer.  Master only.
 */
#pragma once

#include <jansson.h>

#include "master/status.h"

struct evhttp_request;

/* ?upstream=NAME */
json_t *status_doc_targets(
		const struct status_sources *s, struct evhttp_request *req, int *ret_code);
/* ?upstream=NAME&target=HOST:PORT&health=healthy|unhealthy[&address=IP:PORT] */
json_t *status_doc_set_target(
		const struct status_sources *s, struct evhttp_request *req, int *ret_code);
