/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line per event on stderr, key=value, one write(2) per line so that
 * lines of several processes do not mix.
 *
 *	ts=2026-11-24T10:00:00.123Z level=warn prog=sluice-worker pid=7 msg="…" k=v …
 *
 * log_at(LOG_WARN, "upstream refused", "addr=%s port=%u", a, port) prints msg, quoted, and then
 * the caller's pairs as given.  Values that may hold spaces, quotes or bytes from
 * outside go through LOG_Q: " name=%s" with log_quote(buf, sizeof(buf), value).
 * Only programs log; library functions return errors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_NOTICE,
	LOG_WARN,
	LOG_ERR,
	LOG_CRIT,
	LOG_ALERT,
	LOG_EMERG,
};

/* prog must outlive the process.  Default before the call: "sluice", NOTICE. */
void log_init(const char *prog, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* "debug" … "emerg" (also "error", "warning"); false if unknown. */
bool log_level_parse(struct str name, enum log_level *ret);
const char *log_level_name(enum log_level level);

static inline bool log_wants(enum log_level level)
{
	return level >= log_level();
}

/* fmt may be NULL: message only. */
void log_at(enum log_level level, const char *msg, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_err(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_crit(...) log_at(LOG_CRIT, __VA_ARGS__)

/* value as "…" with \" \\ \n \xHH escapes, cut to fit; returns buf. */
const char *log_quote(char *buf, size_t size, struct str value);
