/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/traceparent.h"

#include <errno.h>
#include <stdio.h>

#include "base/hex.h"

static bool is_lower_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* n bytes at offset `at`. */
static bool read_field(struct str text, size_t at, void *ret, size_t n)
{
	struct str digits = str_head(str_from(text, at), 2 * n);

	return is_lower_hex(digits) && hex_decode(digits, ret, n);
}

int traceparent_parse(struct str text, struct traceparent *ret)
{
	struct traceparent p;
	uint8_t version, flags;

	if (text.n < TRACEPARENT_CHARS || text.p[2] != '-' || text.p[35] != '-' ||
			text.p[52] != '-')
		return -EINVAL;
	if (!read_field(text, 0, &version, 1) || !read_field(text, 3, p.trace_id, TRACE_ID_BYTES) ||
			!read_field(text, 36, p.span_id, SPAN_ID_BYTES) ||
			!read_field(text, 53, &flags, 1))
		return -EINVAL;
	if (version == 0xff || (version == 0 && text.n != TRACEPARENT_CHARS) ||
			(text.n > TRACEPARENT_CHARS && text.p[TRACEPARENT_CHARS] != '-'))
		return -EINVAL;
	if (is_zero(p.trace_id, TRACE_ID_BYTES) || is_zero(p.span_id, SPAN_ID_BYTES))
		return -EINVAL;
	p.is_sampled = (flags & 1) != 0;
	*ret = p;
	return 0;
}

void traceparent_write(const struct traceparent *p, char ret[TRACEPARENT_CHARS + 1])
{
	char trace[2 * TRACE_ID_BYTES + 1], span[2 * SPAN_ID_BYTES + 1];

	hex_encode(p->trace_id, TRACE_ID_BYTES, trace);
	hex_encode(p->span_id, SPAN_ID_BYTES, span);
	snprintf(ret, TRACEPARENT_CHARS + 1, "00-%s-%s-%02x", trace, span, p->is_sampled);
}
