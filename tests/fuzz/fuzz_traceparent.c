/* SPDX-License-Identifier: Apache-2.0
 *
 * The header traceparent: what is taken can be written and read again.
 */
#include <string.h>

#include "base/check.h"
#include "plugin/traceparent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char text[TRACEPARENT_CHARS + 1];
	struct traceparent p, q;

	if (traceparent_parse((struct str){(const char *)data, n}, &p) != 0)
		return 0;
	traceparent_write(&p, text);
	sl_assert(strlen(text) == TRACEPARENT_CHARS);
	sl_assert(traceparent_parse(str_of(text), &q) == 0);
	sl_assert(memcmp(p.trace_id, q.trace_id, TRACE_ID_BYTES) == 0);
	sl_assert(memcmp(p.span_id, q.span_id, SPAN_ID_BYTES) == 0);
	sl_assert(p.is_sampled == q.is_sampled);
	return 0;
}
