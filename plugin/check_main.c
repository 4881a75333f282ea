/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-check: one verdict about one plugin, from a process that can do nothing else.
 * Question and answer are JSON on stdin and stdout (plugin/check_client.h); with --lint the
 * sources are files and the answer is for people.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "plugin/check_part.h"
#include "plugin/jail.h"
#include "plugin/schema_part.h"
#include "plugin/trial.h"

#define QUESTION_BYTES_MAX (64U << 20)
#define CPU_SECONDS_MAX 30
/* Beside the plugin's own memory: arenas are address space long before they are memory. */
#define ADDRESS_SPACE_MB 2048

static const char usage[] =
		"usage: sluice-check              a question on stdin, the verdict on stdout "
		"(JSON)\n"
		"       sluice-check --lint [--json] [--lax] FILE…\n"
		"                                 handler.lua and schema.lua of one or more "
		"plugins\n"
		"Exit status of --lint: 0 = good, 1 = errors found, 2 = could not look.\n";

int check_enter_jail(const struct check *c, struct why *why)
{
	const struct jail_conf conf = {.user = c->user,
			.is_short_lived = true,
			.limits = {.cpu_s = CPU_SECONDS_MAX,
					.memory_mb = ADDRESS_SPACE_MB + 2 * c->limits.memory_mb,
					.n_files = 8}};
	struct jail_state state;

	return jail_enter(&conf, &state, why);
}

static int read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(out, 65536))
			return -ENOMEM;
		n = read(fd, out->p + out->n, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		out->n += (size_t)n;
		if (out->n > QUESTION_BYTES_MAX)
			return -E2BIG;
	}
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int answer(const json_t *reply)
{
	sl_auto_mem char *text = json_dumps(reply, JSON_COMPACT | JSON_SORT_KEYS);

	if (text == NULL)
		return -ENOMEM;
	return write_all(STDOUT_FILENO, text, strlen(text));
}

/* The reply of a trial; NULL with why: it could not be made. */
static json_t *try_plugin(struct check *c, const json_t *trial, struct why *why)
{
	json_t *reply = NULL;

	if (trial_run(c, trial, &reply, why) == 0)
		return reply;
	check_add_why(c, &c->handler, why);
	return check_reply(c);
}

static int run_question(const json_t *request, struct why *why)
{
	const json_t *trial = json_object_get(request, "trial");
	sl_auto_json *reply = NULL;
	struct check c;
	int r = 0;

	check_init(&c);
	if (!check_read_request(&c, request)) {
		reply = check_reply(&c);
	} else if (trial != NULL) {
		reply = try_plugin(&c, trial, why);
	} else {
		r = check_enter_jail(&c, why);
		if (r == 0) {
			check_run_all(&c);
			reply = check_reply(&c);
		}
	}
	if (r == 0 && answer(reply) < 0)
		r = why_errno(why, EIO, "cannot write the verdict");
	check_done(&c);
	return r;
}

static int run_stdin(struct why *why)
{
	sl_auto_buf question = {0};
	sl_auto_json *request = NULL;
	json_error_t error;
	int r = read_all(STDIN_FILENO, &question);

	if (r < 0)
		return why_errno(why, -r, "cannot read the question");
	request = json_loadb(question.p, question.n, JSON_ALLOW_NUL, &error);
	if (request == NULL) {
		why_set(why, "stdin", error.line, "the question is not JSON: %s", error.text);
		return -EINVAL;
	}
	return run_question(request, why);
}

static int report_fatal(const struct why *why)
{
	char quoted[1200], text[1200];

	why_text(why, text, sizeof(text));
	log_err("no verdict", "why=%s", log_quote(quoted, sizeof(quoted), str_of(text)));
	return 2;
}

/* The index of the first path. */
static int read_lint_options(int argc, char **argv, struct lint_options *o)
{
	int i = 2;

	for (; i < argc && argv[i][0] == '-'; i++) {
		o->is_json |= strcmp(argv[i], "--json") == 0;
		if (strcmp(argv[i], "--lax") == 0)
			o->level = VM_LAX;
	}
	return i;
}

int main(int argc, char **argv)
{
	struct why why = WHY_NONE;
	bool is_lint = argc > 1 && strcmp(argv[1], "--lint") == 0;
	struct lint_options options = {.level = VM_STRICT};
	int first = is_lint ? read_lint_options(argc, argv, &options) : 1;
	int status = 0;

	log_init("sluice-check", LOG_NOTICE);
	if (argc > 1 && (!is_lint || first >= argc)) {
		bool is_help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;

		fputs(usage, is_help ? stdout : stderr);
		return is_help ? 0 : 2;
	}
	if (is_lint)
		return check_lint(argc - first, argv + first, &options);
	if (vm_process_init(&why) < 0 || run_stdin(&why) < 0)
		status = report_fatal(&why);
	/* Not exit(): nothing that a plugin could have reached gets another turn. */
	_exit(status);
}
