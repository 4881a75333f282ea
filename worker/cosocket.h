/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of plugins (ngx.socket.*): the worker's side of plugin/cosocket.h.  Names come
 * from worker/dns, TLS from worker/upstream_tls, permission from worker/egress.  Idle ones are
 * pooled per plugin and pool name, never across plugins.  Per worker, single-threaded.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "plugin/cosocket.h"

#define COSOCKETS_OF_PLUGIN_MAX 4096 /* open and pooled, of one plugin in one worker */
#define COSOCKETS_MAX 16384          /* of all */

struct cosocket_pool;
struct worker;

extern const struct cosocket_ops cosocket_ops;

/* Reads plugin_egress. */
int cosocket_pool_new(struct cosocket_pool **ret, struct worker *w, struct why *why);
void cosocket_pool_free(struct cosocket_pool *p);
/* Frees what was closed; call outside of any connection's callbacks. */
void cosocket_bury(struct cosocket_pool *p);
