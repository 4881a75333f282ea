/* SPDX-License-Identifier: Apache-2.0
 *
 * When the certificates of a node end: those of its configuration file and those of the
 * configuration in force.  Read again when the generation changed, and once a minute; between
 * that a scrape costs nothing.  Master only; single-threaded.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "shm/conf.h"

struct expiry;
struct snap_view;

/* conf: borrowed. */
int expiry_new(struct expiry **ret, const struct conf *conf);
void expiry_free(struct expiry *e);
SL_DEFINE_AUTO(expiry);

/* sluice_certificate_expiry_timestamp_seconds, and Kong's name for cluster_cert on a data plane.
 * view may be NULL. */
void expiry_prometheus(struct expiry *e, const struct snap_view *view, struct buf *out);
