/* SPDX-License-Identifier: Apache-2.0 */
#include "master/upgrade_trial.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/check.h"
#include "master/handover_check.h"
#include "master/spawn.h"

#define TRIAL_MAGIC SL_MAGIC('U', 'P', 'T', 'R')
#define RECORD_FD 3
#define SAID_MAX 4096

struct upgrade_trial {
	uint32_t magic;
	char *program;
	uint32_t timeout_ms;
	upgrade_trial_done_fn *done;
	void *arg;
	pid_t pid;
	int pidfd, out, err; /* what it writes */
	struct event *exited, *deadline;
};

static void tell(struct upgrade_trial *t, const struct upgrade_answer *answer, struct why *why)
{
	event_del(t->deadline);
	t->done(t->arg, answer, why);
}

/* What is in the pipe: a child of a child may hold it open, so nobody waits for its end. */
static void read_all(int fd, struct buf *ret)
{
	char part[1024];
	ssize_t n;

	while (ret->n < SAID_MAX && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(ret, part, (size_t)n);
	for (size_t i = 0; i < ret->n; i++) {
		if ((uint8_t)ret->p[i] < ' ' && ret->p[i] != '\n')
			ret->p[i] = ' ';
	}
}

static struct str first_line(const struct buf *b)
{
	struct str s = buf_str(b);
	ptrdiff_t end = str_find_char(s, '\n');

	return str_head(str_trim(end < 0 ? s : str_head(s, (size_t)end)), 600);
}

static void refuse_end(const struct upgrade_trial *t, int status, struct str said, struct why *why)
{
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "ended in signal %d (%s)", WTERMSIG(status),
				strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "ended with exit code %d", WEXITSTATUS(status));
	if (said.n != 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE)
		why_set(why, NULL, 0, "%s: %.*s", t->program, STR_ARG(said));
	else
		why_set(why, NULL, 0, "%s %s when it was asked whether it can take over%s%.*s",
				t->program, how, said.n != 0 ? ": " : "", STR_ARG(said));
}

static struct str take_word(struct str *line)
{
	ptrdiff_t space = str_find_char(*line, ' ');
	struct str word = space < 0 ? *line : str_head(*line, (size_t)space);

	*line = space < 0 ? STR_NONE : str_from(*line, (size_t)space + 1);
	return word;
}

static bool understand(const struct upgrade_trial *t, struct str line, struct upgrade_answer *ret,
		struct why *why)
{
	struct str first = take_word(&line), format = take_word(&line);
	struct str version = take_word(&line), build = take_word(&line);
	uint64_t n = 0;

	if (!str_eq(first, STR(HANDOVER_ANSWER)) || !str_to_u64(format, &n) || version.n == 0) {
		why_set(why, NULL, 0,
				"%s is not a sluiced, or one that cannot take over: it gave no "
				"answer",
				t->program);
		return false;
	}
	if (n != HANDOVER_FORMAT) {
		why_set(why, NULL, 0,
				"%s takes over by format %llu, this sluiced hands over by %d: stop "
				"it "
				"and start the new one",
				t->program, (unsigned long long)n, HANDOVER_FORMAT);
		return false;
	}
	snprintf(ret->version, sizeof(ret->version), "%.*s", STR_ARG(version));
	snprintf(ret->build, sizeof(ret->build), "%.*s", STR_ARG(build));
	return true;
}

static void on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade_trial *t = arg;
	sl_auto_buf out = {.p = NULL}, err = {.p = NULL};
	struct upgrade_answer answer;
	struct why why = WHY_NONE;
	int status = 0;

	(void)fd;
	(void)what;
	sl_check(t, TRIAL_MAGIC);
	if (waitpid(t->pid, &status, WNOHANG) != t->pid)
		return;
	t->pid = 0;
	event_del(t->exited);
	read_all(t->out, &out);
	read_all(t->err, &err);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		refuse_end(t, status, first_line(&err), &why);
		tell(t, NULL, &why);
	} else if (understand(t, first_line(&out), &answer, &why)) {
		tell(t, &answer, NULL);
	} else {
		tell(t, NULL, &why);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade_trial *t = arg;
	struct why why = WHY_NONE;

	(void)fd;
	(void)what;
	why_set(&why, NULL, 0, "%s did not say within %u ms whether it can take over", t->program,
			t->timeout_ms);
	tell(t, NULL, &why);
}

/* ---- life ---- */

static int start(struct upgrade_trial *t, const char *conf_file, int record_fd, struct why *why)
{
	sl_auto_fd int out_end = -1, err_end = -1;
	int out[2], err[2];
	char *with_file[] = {t->program, (char[]){"-c"}, (char *)(uintptr_t)conf_file,
			(char[]){"--handover-check"}, (char[]){"3"}, NULL};
	char *without[] = {t->program, (char[]){"--handover-check"}, (char[]){"3"}, NULL};

	if (pipe2(out, O_CLOEXEC) < 0)
		return why_errno(why, errno, "upgrade");
	t->out = out[0];
	out_end = out[1];
	if (pipe2(err, O_CLOEXEC) < 0)
		return why_errno(why, errno, "upgrade");
	t->err = err[0];
	err_end = err[1];
	fcntl(t->out, F_SETFL, O_NONBLOCK);
	fcntl(t->err, F_SETFL, O_NONBLOCK);
	const struct spawn_fd fds[] = {{record_fd, RECORD_FD}, {out_end, 1}, {err_end, 2}};

	return spawn_program(&t->pid, conf_file != NULL ? with_file : without, fds, 3, why);
}

static int watch(struct upgrade_trial *t, struct event_base *base)
{
	const struct timeval tv = {.tv_sec = t->timeout_ms / 1000,
			.tv_usec = (suseconds_t)(t->timeout_ms % 1000) * 1000};

	t->pidfd = pidfd_open(t->pid, 0);
	if (t->pidfd < 0)
		return -errno;
	t->exited = event_new(base, t->pidfd, EV_READ | EV_PERSIST, on_exited, t);
	t->deadline = evtimer_new(base, on_deadline, t);
	return t->exited == NULL || t->deadline == NULL || event_add(t->exited, NULL) < 0 ||
					       event_add(t->deadline, &tv) < 0
			       ? -ENOMEM
			       : 0;
}

int upgrade_trial_new(struct upgrade_trial **ret, struct event_base *base, const char *program,
		const char *conf_file, const struct handover *h, uint32_t timeout_ms,
		upgrade_trial_done_fn *done, void *arg, struct why *why)
{
	sl_auto(upgrade_trial) t = calloc(1, sizeof(*t));
	sl_auto_fd int record_fd = handover_to_fd(h, why);
	int r;

	if (record_fd < 0)
		return record_fd;
	if (t == NULL)
		return why_errno(why, ENOMEM, "upgrade");
	t->magic = TRIAL_MAGIC;
	t->pidfd = t->out = t->err = -1;
	t->timeout_ms = timeout_ms;
	t->done = done;
	t->arg = arg;
	t->program = strdup(program);
	if (t->program == NULL)
		return why_errno(why, ENOMEM, "upgrade");
	r = start(t, conf_file, record_fd, why);
	if (r < 0)
		return r;
	r = watch(t, base);
	if (r < 0)
		return why_errno(why, -r, "upgrade");
	*ret = sl_steal(t);
	return 0;
}

void upgrade_trial_free(struct upgrade_trial *t)
{
	if (t == NULL)
		return;
	sl_check(t, TRIAL_MAGIC);
	if (t->exited != NULL)
		event_free(t->exited);
	if (t->deadline != NULL)
		event_free(t->deadline);
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
	sl_close_fd(&t->pidfd);
	sl_close_fd(&t->out);
	sl_close_fd(&t->err);
	free(t->program);
	t->magic = 0;
	free(t);
}
