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

struct ctl {
	const char *prefix;
	const struct conf *conf; /* defaults when -c was not given */
	bool is_json;
	const char *case_name; /* plugin test: only this one; NULL = all */
	bool is_watch;         /* plugin test: again at each change */
	int n_args;            /* behind the verb */
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
/* verb_lint.c */
enum ctl_exit verb_plugin_lint(const struct ctl *ctl);
/* verb_test.c */
enum ctl_exit verb_plugin_test(const struct ctl *ctl);
/* verb_new.c */
enum ctl_exit verb_plugin_new(const struct ctl *ctl);
