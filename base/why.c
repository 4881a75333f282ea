/* SPDX-License-Identifier: Apache-2.0 */
#include "base/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void why_set(struct why *why, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (why == NULL)
		return;
	snprintf(why->file, sizeof(why->file), "%s", file != NULL ? file : "");
	why->line = line;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
}

int why_errno(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (why == NULL)
		return -err;
	why->file[0] = '\0';
	why->line = 0;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	n = strlen(why->text);
	snprintf(why->text + n, sizeof(why->text) - n, ": %s", strerror(err));
	return -err;
}

const char *why_text(const struct why *why, char *buf, size_t size)
{
	if (why->file[0] != '\0' && why->line > 0)
		snprintf(buf, size, "%s:%d: %s", why->file, why->line, why->text);
	else if (why->file[0] != '\0')
		snprintf(buf, size, "%s: %s", why->file, why->text);
	else
		snprintf(buf, size, "%s", why->text);
	return buf;
}

int err_fold(int r)
{
	return r > 0 ? -EPROTO : r;
}
