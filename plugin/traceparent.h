/* SPDX-License-Identifier: Apache-2.0
 *
 * The header traceparent (W3C Trace Context, 3.2): who the caller's span is.
 */
#pragma once

#include <stdbool.h>

#include "plugin/trace.h"

struct traceparent {
	uint8_t trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
	bool is_sampled;
};

#define TRACEPARENT_CHARS 55

/* Version 00 exactly; a higher version by what it has in common with 00 (3.2.2.1: more may
 * follow behind a dash).  0, or -EINVAL: digits that are not lower-case hexadecimal, a wrong
 * length, version ff, an id of zeros. */
int traceparent_parse(struct str text, struct traceparent *ret);
/* Version 00, NUL-terminated. */
void traceparent_write(const struct traceparent *p, char ret[TRACEPARENT_CHARS + 1]);
