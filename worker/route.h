/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes as the worker uses them: compiled copies of what was recently asked for, and
 * the choice among the candidates that the snapshot's index names.  Private memory grows
 * with what is used, not with the configuration; a generation switch only changes a number.
 */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdint.h>

#include "plugin/engine.h"
#include "plugin/exchange.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"
#include "worker/assoc.h"
#include "worker/cidr.h"
#include "worker/tls_context.h"

struct balancer; /* worker/balancer.h */

struct service {
	unsigned refs;
	Sluice__Record__Service *rec;
	struct entity_ref entity;
	struct str host_header;               /* host[:non-default port] */
	struct exchange_tls tls;              /* client certificate and authorities; owned texts */
	uint8_t tls_id[TLS_CONTEXT_ID_BYTES]; /* of these */
	struct balancer *balancer;            /* of the upstream that host names; NULL: none */
	bool is_balancer_known;               /* looked for already */
};

struct route_regex;
struct traffic_row; /* shm/traffic.h */

struct route {
	unsigned refs;
	Sluice__Record__Route *rec;
	struct entity_ref entity;
	struct service *service;     /* NULL: none */
	struct plan *plan;           /* NULL without an engine */
	struct str protocols;        /* "http,https" */
	struct route_regex *regexes; /* of paths and header values, compiled on first use */
	bool is_http, is_https;
	struct traffic_row *traffic; /* where its requests are counted; NULL: none was yet */
	bool is_content_free;        /* decided by method, host and path alone */
};

/* What a (method, host, path) leads to.  route NULL: nothing. */
struct route_match {
	unsigned refs;
	struct route *route;
	size_t prefix_bytes;       /* of the path, for a prefix match */
	struct route_regex *regex; /* the path regex that matched, else NULL */
};

struct route_table;

int route_table_new(struct route_table **ret, struct engine *engine);
void route_table_free(struct route_table *t);
SL_DEFINE_AUTO(route_table);

/* Takes a reference to the view; everything older becomes a miss. */
void route_table_set_view(struct route_table *t, struct snap_view *view);
/* On an idle tick: gives back memory of older generations. */
void route_table_sweep(struct route_table *t);

/* The match for x->request, as a new reference; NULL = out of memory.  Fills nothing in x. */
struct route_match *route_find(struct route_table *t, struct exchange *x);
void route_match_unref(struct route_match *m); /* NULL allowed */

/* Fills x's route, service, upstream, matched_prefix and captures from the match.
 * 0, -ENOMEM. */
int route_apply(const struct route_match *m, struct exchange *x);
