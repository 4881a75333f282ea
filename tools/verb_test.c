/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/trial_ask.h"
#include "tools/trial_show.h"
#include "tools/verbs.h"

/* Editors write a file in several steps: what comes within this time is one change. */
#define SETTLE_US 50000

static void print_errors(const json_t *errors, bool is_json)
{
	json_t *text;
	size_t i;

	if (is_json) {
		json_t *doc = json_pack("{s:b,s:O}", "passed", 0, "errors", errors);

		json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
		json_decref(doc);
		return;
	}
	json_array_foreach (errors, i, text)
		printf("%s\n", json_string_value(text));
}

static json_t *run_cases(const struct ctl *ctl, const struct trial_plugin *p)
{
	json_t *results = json_array(), *one;
	size_t i;

	json_array_foreach (trial_file_cases(&p->file), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		json_t *result;

		if (ctl->case_name != NULL && strcmp(ctl->case_name, name) != 0)
			continue;
		result = trial_ask(p, i);
		if (!ctl->is_json)
			trial_show(result, p->file.path, stdout);
		fflush(stdout);
		json_array_append_new(results, result);
	}
	return results;
}

static size_t count_failed(const json_t *results)
{
	size_t n = 0, i;
	json_t *one;

	json_array_foreach (results, i, one)
		n += !json_is_true(json_object_get(one, "passed"));
	return n;
}

static enum ctl_exit run_plugin(const struct ctl *ctl, const struct trial_plugin *p)
{
	json_t *errors = trial_plugin_errors(p), *results;
	size_t n_failed, n;

	if (json_array_size(errors) > 0) {
		print_errors(errors, ctl->is_json);
		if (!ctl->is_json)
			printf("%s: refused\n", p->name);
		json_decref(errors);
		return CTL_NEGATIVE;
	}
	json_decref(errors);
	results = run_cases(ctl, p);
	n_failed = count_failed(results);
	n = json_array_size(results);
	if (ctl->is_json) {
		json_t *doc = json_pack(
				"{s:b,s:O}", "passed", n_failed == 0 && n > 0, "cases", results);

		json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
		json_decref(doc);
	} else if (n > 0) {
		printf("%s: %zu case%s, %zu failed\n", p->name, n, n == 1 ? "" : "s", n_failed);
	}
	json_decref(results);
	if (n == 0)
		fprintf(stderr, "sluicectl: %s: no case is named \"%s\"\n", p->file.path,
				ctl->case_name);
	if (n == 0)
		return CTL_USAGE;
	return n_failed == 0 ? CTL_OK : CTL_NEGATIVE;
}

static enum ctl_exit run_once(const struct ctl *ctl)
{
	struct trial_plugin p;
	struct why why = WHY_NONE;
	enum ctl_exit r = CTL_USAGE;
	char text[1200];

	if (trial_plugin_load(&p, ctl->args[0], &why) < 0)
		fprintf(stderr, "sluicectl: %s\n", why_text(&why, text, sizeof(text)));
	else
		r = run_plugin(ctl, &p);
	trial_plugin_done(&p);
	fflush(stdout);
	return r;
}

static enum ctl_exit watch(const struct ctl *ctl)
{
	sl_auto_fd int fd = inotify_init1(IN_CLOEXEC);
	char events[sizeof(struct inotify_event) + NAME_MAX + 1];

	if (fd < 0 || inotify_add_watch(fd, ctl->args[0],
				      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0) {
		fprintf(stderr, "sluicectl: cannot watch %s: %s\n", ctl->args[0], strerror(errno));
		return CTL_USAGE;
	}
	for (;;) {
		/* Of a terminal only: who reads a pipe wants every run. */
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		(void)run_once(ctl);
		if (read(fd, events, sizeof(events)) <= 0)
			return CTL_OK;
		usleep(SETTLE_US);
		/* The rest of the same change; a fresh watch forgets it. */
		close(fd);
		fd = inotify_init1(IN_CLOEXEC);
		if (fd < 0 || inotify_add_watch(fd, ctl->args[0],
					      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) < 0)
			return CTL_USAGE;
	}
}

enum ctl_exit verb_plugin_test(const struct ctl *ctl)
{
	return ctl->is_watch ? watch(ctl) : run_once(ctl);
}
