/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/check.h"
#include "shm/programs.h"
#include "tools/trial_case.h"
#include "tools/verbs.h"

#define FILES_MAX 256

/* The command line of sluice-check; owned strings. */
struct command {
	char *args[FILES_MAX + 5];
	size_t n;
};

static void command_done(struct command *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->args[i]);
}

static bool add(struct command *c, char *owned)
{
	sl_assert(c->n + 1 < sizeof(c->args) / sizeof(c->args[0]));
	c->args[c->n] = owned;
	c->n += owned != NULL;
	return owned != NULL;
}

static bool add_in(struct command *c, const char *directory, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", directory, name) >= 0 && add(c, path);
}

/* A directory stands for the handler.lua and schema.lua in it. */
static enum ctl_exit add_argument(struct command *c, const char *path)
{
	struct stat st;
	bool is_added;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "sluicectl: %s: %s\n", path, strerror(errno));
		return CTL_USAGE;
	}
	if (c->n + 2 > FILES_MAX) {
		fprintf(stderr, "sluicectl: more than %d files at once\n", FILES_MAX);
		return CTL_USAGE;
	}
	is_added = S_ISDIR(st.st_mode)
				   ? add_in(c, path, "handler.lua") && add_in(c, path, "schema.lua")
				   : add(c, strdup(path));
	return is_added ? CTL_OK : CTL_UNREACHABLE;
}

/* A directory's cases say which sandbox its plugin is for. */
static bool is_lax(const struct ctl *ctl, const char *path)
{
	struct trial_file file = {.path = NULL};
	struct why why = WHY_NONE;
	const char *level = NULL;
	bool is;

	if (trial_file_load(&file, path, &why) == 0)
		level = json_string_value(json_object_get(file.tree.value, "untrusted_lua"));
	is = strcmp(level != NULL ? level : ctl->conf->untrusted_lua, "lax") == 0;
	trial_file_done(&file);
	return is;
}

/* On CTL_OK *ret_n is how many of the arguments are for that sandbox. */
static enum ctl_exit make_command(
		struct command *c, const struct ctl *ctl, bool for_lax, int *ret_n)
{
	struct why why = WHY_NONE;
	char *program = NULL;
	enum ctl_exit r = CTL_OK;

	if (program_find("sluice-check", &program, &why) < 0) {
		fprintf(stderr, "sluicectl: %s\n", why.text);
		return CTL_UNREACHABLE;
	}
	if (!add(c, program) || !add(c, strdup("--lint")) ||
			(ctl->is_json && !add(c, strdup("--json"))) ||
			(for_lax && !add(c, strdup("--lax"))))
		return CTL_UNREACHABLE;
	for (int i = 0; r == CTL_OK && i < ctl->n_args; i++)
		if (is_lax(ctl, ctl->args[i]) == for_lax) {
			r = add_argument(c, ctl->args[i]);
			++*ret_n;
		}
	return r;
}

/* Its stdout is a pipe: in its jail no file may grow, so it could not write to one. */
static int start(const struct command *c, pid_t *ret_pid, int *ret_out)
{
	posix_spawn_file_actions_t actions;
	int out[2], err;

	if (pipe(out) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, out[0]);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	err = posix_spawn(ret_pid, c->args[0], &actions, NULL, c->args, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	*ret_out = out[0];
	return -err;
}

static void copy(int from, FILE *to)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0)
		fwrite(chunk, 1, (size_t)n, to);
	close(from);
}

static enum ctl_exit lint(const struct ctl *ctl, bool for_lax)
{
	__attribute__((cleanup(command_done))) struct command c = {.n = 0};
	int out = -1, status = 0, n = 0, err;
	enum ctl_exit r = make_command(&c, ctl, for_lax, &n);
	pid_t pid = 0;

	if (r != CTL_OK || n == 0)
		return r;
	err = start(&c, &pid, &out);
	if (err < 0) {
		fprintf(stderr, "sluicectl: %s: %s\n", c.args[0], strerror(-err));
		return CTL_UNREACHABLE;
	}
	copy(out, stdout);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return CTL_UNREACHABLE;
	/* 0 good, 1 errors, 2 could not look */
	return WEXITSTATUS(status) <= CTL_USAGE ? (enum ctl_exit)WEXITSTATUS(status)
						: CTL_UNREACHABLE;
}

enum ctl_exit verb_plugin_lint(const struct ctl *ctl)
{
	enum ctl_exit strict = lint(ctl, false);
	enum ctl_exit lax = lint(ctl, true);

	return strict > lax ? strict : lax;
}
