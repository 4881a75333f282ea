/* SPDX-License-Identifier: Apache-2.0
 *
 * The store as nodes see it: feeds every connected node over the control stream and keeps
 * what each said about each resource.
 *
 * Per node at most one Update is in flight; changes that come meanwhile, or within a few
 * milliseconds of each other, go together in the next.  A node that already holds our
 * (epoch, digest) is sent nothing; one at a generation that the change log still reaches
 * gets a delta; any other the full state.  What a node rejected is not sent again before it
 * changes.
 */
#pragma once

#include <jansson.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "control/model.h"

struct event_base;
struct feed;

int feed_new(struct feed **ret, struct model *model, struct event_base *base,
		const char *control_id, struct why *why);
void feed_free(struct feed *f);
SL_DEFINE_AUTO(feed);

/* After each commit that made a generation. */
void feed_changed(struct feed *f);

/* Nodes seen since start, as /clustering/data-planes shows them: a new array. */
json_t *feed_nodes(const struct feed *f);
/* What each node says of one custom plugin: a new array of {"id","hostname","workers_active",
 * "workers_total","state","error"}; *ret_active = every connected node runs `version` (of the
 * resource) on all its workers, and there is one. */
json_t *feed_plugin(
		const struct feed *f, const char *plugin_id, uint64_t version, bool *ret_active);
