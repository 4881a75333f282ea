/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to the sluiced of a prefix, over <prefix>/sluiced.sock (HTTP/1.0, JSON).
 */
#pragma once

#include <jansson.h>

#include "base/why.h"

#define NODE_LINK_TIMEOUT_S 10

/* method: "GET" or "POST".  0 with *ret_code (HTTP status) and *ret_doc (new reference);
 * -ECONNREFUSED, -ENOENT: no node runs there; -EACCES: not ours to ask; -ETIMEDOUT, -EBADMSG:
 * the node is ill.  why says so in words. */
int node_link_ask(const char *prefix, const char *method, const char *path, int *ret_code,
		json_t **ret_doc, struct why *why);
