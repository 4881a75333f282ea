/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of sluicectl, as a table.
 */
#pragma once

#include <stdbool.h>

#include "shm/conf.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_NEGATIVE = 1,    /* the answer is no: not ready, refused, findings */
	CTL_USAGE = 2,       /* bad arguments */
	CTL_UNREACHABLE = 3, /* no node there, or it does not answer */
};

/* Options of single verbs.  X(field, "name", TEXT | FLAG); a TEXT is NULL when not given. */
/* clang-format off */
#define CTL_OPTIONS(X) \
	X(case_name,   "case",        TEXT) /* plugin test: only this one */ \
	X(is_watch,    "watch",       FLAG) /* again at each change, or at each interval */ \
	X(is_once,     "once",        FLAG) /* top: one picture, then end */ \
	X(plugin,      "plugin",      TEXT) /* of this plugin only */ \
	X(route,       "route",       TEXT) /* of this route only */ \
	X(phase,       "phase",       TEXT) /* of this phase only */ \
	X(interval,    "interval",    TEXT) /* seconds between two pictures */ \
	X(sort,        "sort",        TEXT) /* what rows are ordered by */ \
	X(slower_than, "slower-than", TEXT) /* trace: a duration, "1ms" */ \
	X(count,       "count",       TEXT) /* trace: end after so many */ \
	X(timeout,     "timeout",     TEXT) /* drain, upgrade: a duration, "30s" */ \
	X(is_cancel,   "cancel",      FLAG) /* drain: undo it */
/* clang-format on */

struct ctl {
	const char *prefix;
	const struct conf *conf; /* defaults when -c was not given */
	bool is_json;
#define CTL_FIELD_TEXT const char *
#define CTL_FIELD_FLAG bool
#define X(field, name, type) CTL_FIELD_##type field;
	CTL_OPTIONS(X)
#undef X
	int n_args; /* behind the verb */
	char **args;
};

struct ctl_verb {
	const char *name;  /* "status", "plugin lint" */
	const char *usage; /* what follows the name */
	const char *summary;
	const char *help;
	int args_min, args_max; /* -1 = any number */
	enum ctl_exit (*run)(const struct ctl *ctl);
};

/* Terminated by name == NULL. */
extern const struct ctl_verb ctl_verbs[];

/* verb_node.c */
enum ctl_exit verb_status(const struct ctl *ctl);
enum ctl_exit verb_workers(const struct ctl *ctl);
enum ctl_exit verb_plugins(const struct ctl *ctl);
enum ctl_exit verb_generations(const struct ctl *ctl);
enum ctl_exit verb_reload(const struct ctl *ctl);
/* verb_workers.c */
enum ctl_exit verb_workers_restart(const struct ctl *ctl);
enum ctl_exit verb_workers_scale(const struct ctl *ctl);
/* verb_drain.c */
enum ctl_exit verb_drain(const struct ctl *ctl);
/* verb_latency.c */
enum ctl_exit verb_latency(const struct ctl *ctl);
/* verb_upgrade.c */
enum ctl_exit verb_upgrade(const struct ctl *ctl);
/* verb_trace.c */
enum ctl_exit verb_trace(const struct ctl *ctl);
/* verb_top.c */
enum ctl_exit verb_top(const struct ctl *ctl);
/* verb_steering.c */
enum ctl_exit verb_steering(const struct ctl *ctl);
/* verb_lint.c */
enum ctl_exit verb_plugin_lint(const struct ctl *ctl);
/* verb_test.c */
enum ctl_exit verb_plugin_test(const struct ctl *ctl);
/* verb_new.c */
enum ctl_exit verb_plugin_new(const struct ctl *ctl);
