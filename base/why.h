/* SPDX-License-Identifier: Apache-2.0
 *
 * Two error channels.  A function returns 0, or
 *   - a negative errno: fatal for the caller's purpose, passed through unchanged;
 *   - a positive MODULE_E_… condition that its header documents: handled right there.
 * Whoever can say more than a number fills a `struct why`, the last argument; the
 * program (never a library function) logs it once.
 */
#pragma once

#include <stddef.h>

struct why {
	char file[64];   /* what it is about: a file, a field, a URL; "" when nothing fits */
	int line;        /* 1-based line in `file`; 0 = none */
	char text[1024]; /* one sentence, for a person, that says what to do where it can */
};

#define WHY_NONE ((struct why){.line = 0})

/* Fills why (NULL allowed) from a format; file may be NULL, line 0.  The text is cut to fit. */
void why_set(struct why *why, const char *file, int line, const char *fmt, ...)
		__attribute__((format(printf, 4, 5)));

/* As why_set without a place, with ": strerror(err)" behind it.  Returns -err (err positive). */
int why_errno(struct why *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "file:line: text" (or what there is of it) into a caller's buffer; returns buf. */
const char *why_text(const struct why *why, char *buf, size_t size);

/* An unhandled positive condition becomes -EPROTO, so that it passes through as fatal. */
int err_fold(int r);
