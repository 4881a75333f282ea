/* SPDX-License-Identifier: Apache-2.0
 *
 * Prometheus text (exposition format 0.0.4): the few shapes of line there are.  Master only.
 */
#pragma once

#include "base/buf.h"

/* # HELP and # TYPE. */
void exposition_head(struct buf *out, const char *name, const char *type, const char *help);
/* A label's value: backslash, quote and newline escaped; other control characters left out. */
void exposition_label(struct buf *out, const char *value);
/* name="value", with a comma before it unless it is the first. */
void exposition_pair(struct buf *out, const char *name, const char *value, bool is_first);
