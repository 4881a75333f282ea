/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the master of this node for JSON over its operators' socket (<prefix>/sluiced.sock).
 */
#pragma once

#include <jansson.h>

#include "shm/conf.h"

struct event_base;

/* done is called once, possibly before this returns: body is borrowed, NULL when no master
 * answers within two seconds (a standalone sluice-control). */
void node_status_get(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, json_t *body), void *arg);
