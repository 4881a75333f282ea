/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 4096

static const char *const level_names[] = {
		"debug", "info", "notice", "warn", "err", "crit", "alert", "emerg"};

static const char *log_prog = "sluice";
static enum log_level log_min = LOG_NOTICE;

void log_init(const char *prog, enum log_level level)
{
	log_prog = prog;
	log_min = level;
}

void log_set_level(enum log_level level)
{
	log_min = level;
}

enum log_level log_level(void)
{
	return log_min;
}

bool log_level_parse(struct str name, enum log_level *ret)
{
	if (str_eq(name, STR("error")))
		name = STR("err");
	if (str_eq(name, STR("warning")))
		name = STR("warn");
	for (int i = LOG_DEBUG; i <= LOG_EMERG; i++) {
		if (str_eq(name, str_of(level_names[i]))) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

const char *log_quote(char *buf, size_t size, struct str value)
{
	size_t at = 0;

	if (size < 8)
		return size != 0 ? (buf[0] = '\0', buf) : buf;
	buf[at++] = '"';
	for (size_t i = 0; i < value.n && at + 6 < size; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '"' || c == '\\')
			at += (size_t)snprintf(buf + at, size - at, "\\%c", c);
		else if (c == '\n')
			at += (size_t)snprintf(buf + at, size - at, "\\n");
		else if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", c);
		else
			buf[at++] = (char)c;
	}
	buf[at++] = '"';
	buf[at] = '\0';
	return buf;
}

static size_t log_head(char *line, size_t size, enum log_level level, const char *msg)
{
	struct timespec ts;
	struct tm tm;
	char when[32];
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, size, "ts=%s.%03ldZ level=%s prog=%s pid=%d msg=", when,
			ts.tv_nsec / 1000000, level_names[level], log_prog, (int)getpid());
	if (n < 0 || (size_t)n >= size)
		return 0;
	log_quote(line + n, size - (size_t)n, str_of(msg));
	return strlen(line);
}

void log_at(enum log_level level, const char *msg, const char *fmt, ...)
{
	char line[LOG_LINE_BYTES];
	size_t at, room = sizeof(line) - 1; /* the newline always fits */
	ssize_t ignored;
	va_list ap;
	int n;

	if (!log_wants(level))
		return;
	at = log_head(line, room, level, msg);
	if (fmt != NULL && at + 1 < room) {
		line[at++] = ' ';
		va_start(ap, fmt);
		n = vsnprintf(line + at, room - at, fmt, ap);
		va_end(ap);
		at = n < 0 ? at : (size_t)n < room - at ? at + (size_t)n : room - 1;
	}
	line[at++] = '\n';
	ignored = write(STDERR_FILENO, line, at);
	(void)ignored;
}
