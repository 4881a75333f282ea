/* SPDX-License-Identifier: Apache-2.0
 *
 * The metrics as data, and the lines of Prometheus text (exposition format 0.0.4).  Master only.
 *
 * A row that another table declares is named by its field: "_ns" becomes "_seconds" (and the value
 * is divided), a counter ends in "_total".
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "master/metrics_table.h"

#define METRIC_NAME_MAX 96
#define METRIC_LABELS_MAX 8

struct metric {
	char name[METRIC_NAME_MAX];
	const char *type;   /* "counter", "gauge", "histogram", "untyped" */
	const char *labels; /* names, comma-separated; "" = none */
	const char *help;
};

void metric_get(enum metric_id id, struct metric *ret);
/* v in decimal; a scrape has tens of thousands, too many for printf. */
void metric_number(struct buf *out, uint64_t v);
/* # HELP and # TYPE. */
void metric_head(struct buf *out, enum metric_id id);
/* One line.  After v a text for each label of the metric, in the table's order; v is in the
 * field's unit (nanoseconds for "_ns"). */
void metric_line(struct buf *out, enum metric_id id, uint64_t v, ...);
/* The same for seconds and other fractions. */
void metric_line_f(struct buf *out, enum metric_id id, double v, ...);
/* Head and line of a metric without labels. */
void metric_only(struct buf *out, enum metric_id id, uint64_t v);
/* name="value",… without braces, for histograms. */
void metric_labels(struct buf *out, enum metric_id id, ...);

/* A row of docs/metrics.md for each. */
void metric_print_help(FILE *out);
