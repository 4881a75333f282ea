/* SPDX-License-Identifier: Apache-2.0
 *
 * Pattern and subject, split at the first newline.  Looks for reads outside the slices, and
 * for results outside the subject.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "plugin/pattern.h"

#define STEPS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A copy of its own, so that a read past the end is seen. */
static struct str copy(const uint8_t *p, size_t n)
{
	char *c = malloc(n != 0 ? n : 1);

	sl_assert(c != NULL);
	memcpy(c, p, n);
	return (struct str){c, n};
}

static void search(struct str subject, struct str text)
{
	struct pattern p;
	struct pattern_capture c;

	pattern_begin(&p, subject, text, STEPS);
	if (pattern_search(&p, 0) != PATTERN_MATCH)
		return;
	sl_assert(p.start <= p.end && p.end <= subject.n);
	for (unsigned i = 0; i < p.n_captures; i++) {
		sl_assert(pattern_get_capture(&p, i, &c));
		sl_assert(c.start <= subject.n && c.n <= subject.n - c.start);
	}
	/* What matched has no fault of form. */
	if (memchr(text.p, 0, text.n) == NULL)
		(void)pattern_check(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = n != 0 ? memchr(data, '\n', n) : NULL;
	size_t text_n = end != NULL ? (size_t)(end - data) : n;
	size_t rest = end != NULL ? text_n + 1 : n;
	struct str text = copy(data, text_n), subject = copy(data + rest, n - rest);

	(void)pattern_check(text);
	search(subject, text);
	free((void *)(uintptr_t)text.p);
	free((void *)(uintptr_t)subject.p);
	return 0;
}
