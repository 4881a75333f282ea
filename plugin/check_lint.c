/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-check --lint: files of one folder are one plugin, checked in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "plugin/check_part.h"
#include "plugin/lint_rules.h"
#include "plugin/schema_part.h"

#define FILE_BYTES_MAX (16U << 20)

enum { EXIT_GOOD, EXIT_ERRORS, EXIT_CANNOT };

static bool has_same_folder(const char *a, const char *b)
{
	sl_auto_mem char *copy_a = strdup(a);
	sl_auto_mem char *copy_b = strdup(b);

	return copy_a != NULL && copy_b != NULL && strcmp(dirname(copy_a), dirname(copy_b)) == 0;
}

static int read_file(const char *path, struct buf *out)
{
	sl_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && out->n <= FILE_BYTES_MAX) {
		if (!buf_reserve(out, 65536))
			return -ENOMEM;
		n = read(fd, out->p + out->n, 65536);
		out->n += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		return -errno;
	return out->n <= FILE_BYTES_MAX ? 0 : -EFBIG;
}

/* By its name; or else a schema declares fields and no PRIORITY. */
static bool is_schema(const char *path, struct str text)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;

	if (strstr(base, "schema") != NULL)
		return true;
	if (strstr(base, "handler") != NULL)
		return false;
	return check_find_line(text, "fields") != 0 && check_find_line(text, "PRIORITY") == 0;
}

static int order_findings(const void *a, const void *b)
{
	static const char *const keys[] = {"line", "column"};
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int r = strcmp(json_string_value(json_object_get(x, "file")),
			json_string_value(json_object_get(y, "file")));

	for (size_t i = 0; r == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_int_t m = json_integer_value(json_object_get(x, keys[i]));
		json_int_t n = json_integer_value(json_object_get(y, keys[i]));

		r = m < n ? -1 : m > n;
	}
	return r;
}

static void print_finding(const json_t *e)
{
	const json_t *column = json_object_get(e, "column");

	printf("%s:%lld:", json_string_value(json_object_get(e, "file")),
			(long long)json_integer_value(json_object_get(e, "line")));
	if (column != NULL)
		printf("%lld:", (long long)json_integer_value(column));
	printf(" %s: %s\n", json_string_value(json_object_get(e, "severity")),
			json_string_value(json_object_get(e, "message")));
}

static size_t collect(json_t **all, size_t n, const json_t *list, const char *severity)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		json_object_set_new(e, "severity", json_string(severity));
		all[n++] = e;
	}
	return n;
}

static int print_verdict(const struct check *c, bool is_json)
{
	size_t n = json_array_size(c->errors) + json_array_size(c->warnings);
	sl_auto_mem json_t **all = calloc(n + 1, sizeof(json_t *));
	sl_auto_json *reply = check_reply(c);

	if (all == NULL)
		return EXIT_CANNOT;
	n = collect(all, 0, c->errors, "error");
	n = collect(all, n, c->warnings, "warning");
	if (is_json) {
		json_dumpf(reply, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		printf("\n");
	} else {
		/* Both kinds, in the order of the source. */
		qsort(all, n, sizeof(json_t *), order_findings);
		for (size_t i = 0; i < n; i++)
			print_finding(all[i]);
	}
	fflush(stdout);
	return json_array_size(c->errors) == 0 ? EXIT_GOOD : EXIT_ERRORS;
}

static bool take_file(struct check *c, const char *path, struct buf *text)
{
	int r = read_file(path, text);
	struct check_source *source;

	if (r < 0) {
		fprintf(stderr, "sluice-check: cannot read %s: %s\n", path, strerror(-r));
		return false;
	}
	source = is_schema(path, buf_str(text)) ? &c->schema : &c->handler;
	if (source->is_given) {
		fprintf(stderr, "sluice-check: %s and %s are both a %s\n", source->file, path,
				source->field);
		return false;
	}
	source->file = path;
	source->text = buf_str(text);
	source->is_given = true;
	return true;
}

/* In a child: the files of one plugin. */
static int lint_plugin(int n_paths, char **paths, const struct lint_options *o)
{
	struct buf texts[2] = {{0}, {0}};
	struct why why = WHY_NONE;
	struct check c;

	check_init(&c);
	c.level = o->level;
	if (n_paths > 2) {
		fprintf(stderr, "sluice-check: a plugin is one handler and one schema\n");
		return EXIT_CANNOT;
	}
	for (int i = 0; i < n_paths; i++) {
		if (!take_file(&c, paths[i], &texts[i]))
			return EXIT_CANNOT;
	}
	if (vm_process_init(&why) < 0 || check_enter_jail(&c, &why) < 0) {
		fprintf(stderr, "sluice-check: %s\n", why.text);
		return EXIT_CANNOT;
	}
	check_run_all(&c);
	lint_rules_run(&c);
	return print_verdict(&c, o->is_json);
}

static int lint_in_child(int n_paths, char **paths, const struct lint_options *o)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(lint_plugin(n_paths, paths, o));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return EXIT_CANNOT;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "sluice-check: ended by signal %d while it looked at %s\n",
			WTERMSIG(status), paths[0]);
	return EXIT_CANNOT;
}

int check_lint(int n_paths, char **paths, const struct lint_options *o)
{
	int worst = EXIT_GOOD;

	for (int done = 0; done < n_paths;) {
		int n = 1;
		int status;

		/* Brings the files of one folder together, in the order given. */
		for (int i = done + 1; i < n_paths; i++) {
			if (has_same_folder(paths[done], paths[i])) {
				char *path = paths[i];

				memmove(&paths[done + n + 1], &paths[done + n],
						(size_t)(i - done - n) * sizeof(*paths));
				paths[done + n++] = path;
			}
		}
		status = lint_in_child(n, paths + done, o);
		worst = status > worst ? status : worst;
		done += n;
	}
	return worst;
}
