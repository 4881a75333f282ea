/* SPDX-License-Identifier: Apache-2.0
 *
 * One request through one plugin, without a node: the same engine and chain as in a worker, on
 * a snapshot that holds only this plugin, in sluice-check's jail.  Runs inside sluice-check;
 * asked for by "trial" in its question (plugin/check_client.h):
 *
 *	→ {"name":s, "handler":s, …, "trial":{"priority":n, "phases":["access",…], "schema":{form},
 *	   "config":{filled in},
 *	   "request":{"method":s, "path":"/a?b=c", "scheme":s, "host":s, "client_ip":s,
 *	              "headers":{name:value|[values]}, "body":s},
 *	   "consumer":{"id":s, "username":s, "custom_id":s},
 *	   "service":{"status":n, "headers":{…}, "body":s}}}
 *	← {"ok":true, "log":s, "phases":[{"phase":s, "cpu_us":n, "memory_bytes":n}],
 *	   "service_request":{"method":s, "scheme":s, "host":s, "port":n, "path":s, "query":s,
 *	                      "headers":{name:[values]}, "body":s},  (absent: it got none)
 *	   "request":{the same, before the plugin}, "service_response":{as "response", before it},
 *	   "response":{"status":n, "source":"service"|"exit"|"error", "headers":{…}, "body":s}}
 *
 * The first of phases is "load": the main chunk and configure().  cpu_us is of the plugin's code
 *alone; memory_bytes what its VM holds when the phase is over.
 */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/why.h"
#include "plugin/exchange.h"

struct check;

/* Jails this process for good and runs the plugin.  c: read by check_read_request().  0 and
 * *ret (new reference), or -errno with why: it could not be tried. */
int trial_run(struct check *c, const json_t *trial, json_t **ret, struct why *why);

/* trial_message.c: the request of the question as an exchange; its body, for whoever asks. */
int trial_read_request(struct exchange *x, const json_t *request, struct str *ret_body);
int trial_read_consumer(struct exchange *x, const json_t *consumer, struct entity_ref *ret);
/* What the service answers, as if it had come in. */
int trial_read_response(struct exchange *x, const json_t *service);
/* New references. */
json_t *trial_text(struct str bytes);
json_t *trial_service_request(const struct exchange *x, struct str unread_body);
json_t *trial_response(const struct exchange *x, struct str body);

/* trial_snapshot.c: a snapshot in a directory that is gone again when this returns.  Both live
 * as long as the process. */
struct snap_view;
int trial_snapshot(const struct check *c, const json_t *trial, struct snap_view **ret,
		struct why *why);
