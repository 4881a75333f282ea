/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the master of this node over its operators' socket (<prefix>/sluiced.sock).
 */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "shm/conf.h"

struct event_base;

/* done is called once, possibly before this returns: body is borrowed, NULL when no master
 * answers within two seconds (a standalone sluice-control). */
void node_status_get(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, json_t *body), void *arg);
/* The same with POST: body is NULL, too, when the master refuses. */
void node_status_post(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, json_t *body), void *arg);
/* The answer as it is; text: borrowed, p NULL when there is none. */
void node_status_text(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, struct str text), void *arg);
