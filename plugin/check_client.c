/* SPDX-License-Identifier: Apache-2.0
 *
 * One child per question, on one socket pair that is its stdin and stdout.  Its end of the
 * conversation is whatever it writes until it closes; its own end is always a kill and a
 * wait, so that neither a zombie nor a runaway stays.
 */
#include "plugin/check_client.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"

#define DEADLINE_MS_DEFAULT 5000
/* A megabyte of source, its bytecode in base64 and its schema fit several times. */
#define REPLY_BYTES_MAX (32U << 20)

struct check_call {
	uint32_t magic;
	pid_t pid;
	int pidfd, fd;
	struct event *on_read, *on_write, *on_deadline;
	char *request;
	size_t request_n, sent;
	struct buf reply;
	uint32_t deadline_ms;
	check_done_fn *done;
	void *arg;
};

#define CHECK_CALL_MAGIC SL_MAGIC('C', 'H', 'K', 'C')

static void event_drop(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

/* Ends the child, whatever it is doing.  The wait status, or -1 when somebody else's wait
 * took it. */
static int end_child(struct check_call *call)
{
	siginfo_t info = {.si_pid = 0};
	int r;

	if (call->pidfd < 0)
		return -1;
	(void)pidfd_send_signal(call->pidfd, SIGKILL, NULL, 0);
	do {
		r = waitid(P_PIDFD, (id_t)call->pidfd, &info, WEXITED);
	} while (r < 0 && errno == EINTR);
	close(call->pidfd);
	call->pidfd = -1;
	if (r < 0)
		return -1;
	return info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
}

void check_cancel(struct check_call *call)
{
	if (call == NULL)
		return;
	sl_check(call, CHECK_CALL_MAGIC);
	event_drop(call->on_read);
	event_drop(call->on_write);
	event_drop(call->on_deadline);
	if (call->fd >= 0)
		close(call->fd);
	(void)end_child(call);
	buf_done(&call->reply);
	free(call->request);
	call->magic = 0;
	free(call);
}

static void check_call_free(struct check_call *call)
{
	check_cancel(call);
}

SL_DEFINE_AUTO(check_call);

/* The call is over before done is called, which may start another. */
static void finish(struct check_call *call, json_t *verdict, const struct why *why)
{
	check_done_fn *done = call->done;
	void *arg = call->arg;

	check_cancel(call);
	done(arg, verdict, why);
	json_decref(verdict);
}

static void fail_by_status(int status, const char *what, struct why *why)
{
	if (status >= 0 && WIFSIGNALED(status))
		why_set(why, NULL, 0, "sluice-check %s: killed by signal %d (%s)", what,
				WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (status >= 0 && WEXITSTATUS(status) != 0)
		why_set(why, NULL, 0, "sluice-check %s: it exited with status %d", what,
				WEXITSTATUS(status));
	else
		why_set(why, NULL, 0, "sluice-check %s", what);
}

static void finish_reply(struct check_call *call)
{
	struct why why = WHY_NONE;
	json_error_t error;
	json_t *verdict = json_loadb(
			call->reply.p != NULL ? call->reply.p : "", call->reply.n, 0, &error);
	int status = end_child(call);

	if (verdict != NULL && !json_is_boolean(json_object_get(verdict, "ok"))) {
		json_decref(verdict);
		verdict = NULL;
	}
	if (verdict == NULL)
		fail_by_status(status, "gave no verdict", &why);
	finish(call, verdict, &why);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct check_call *call = arg;
	struct why why = WHY_NONE;
	ssize_t n;

	(void)what;
	sl_check(call, CHECK_CALL_MAGIC);
	if (!buf_reserve(&call->reply, 65536)) {
		why_errno(&why, ENOMEM, "cannot hold the verdict");
		finish(call, NULL, &why);
		return;
	}
	n = recv(fd, call->reply.p + call->reply.n, 65536, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish_reply(call);
		return;
	}
	call->reply.n += (size_t)n;
	if (call->reply.n > REPLY_BYTES_MAX) {
		why_set(&why, NULL, 0, "sluice-check wrote more than %u bytes", REPLY_BYTES_MAX);
		finish(call, NULL, &why);
	}
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct check_call *call = arg;
	ssize_t n;

	(void)what;
	sl_check(call, CHECK_CALL_MAGIC);
	n = send(fd, call->request + call->sent, call->request_n - call->sent, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0)
		call->sent += (size_t)n;
	/* A child that has gone is seen, and explained, where it is read. */
	if (n < 0 || call->sent == call->request_n) {
		event_del(call->on_write);
		(void)shutdown(fd, SHUT_WR);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct check_call *call = arg;
	struct why why = WHY_NONE;

	(void)fd;
	(void)what;
	why_set(&why, NULL, 0,
			"deadline: sluice-check had no verdict after %u ms; the plugin takes too "
			"long "
			"to load",
			call->deadline_ms);
	finish(call, NULL, &why);
}

/* Nothing of ours is the business of a process that runs foreign code. */
static char **child_environment(void)
{
	static const char *const kept[] = {"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
	static const size_t n_kept = sizeof(kept) / sizeof(kept[0]);
	char **env = calloc(n_kept + 1, sizeof(*env));
	size_t n = 0;

	for (char **e = environ; env != NULL && *e != NULL; e++) {
		for (size_t i = 0; i < n_kept; i++) {
			size_t len = strlen(kept[i]);

			if (strncmp(*e, kept[i], len) == 0 && (*e)[len] == '=' && n < n_kept)
				env[n++] = *e;
		}
	}
	return env;
}

static int set_spawn(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, int child_fd)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawn_file_actions_adddup2(actions, child_fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, child_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

/* 0 or a positive errno. */
static int spawn(const char *program, int child_fd, pid_t *ret)
{
	char *const argv[] = {(char[]){"sluice-check"}, NULL};
	char **env = child_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	if (env == NULL)
		return ENOMEM;
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawnattr_init(&attr);
		if (r == 0) {
			r = set_spawn(&actions, &attr, child_fd);
			if (r == 0)
				r = posix_spawn(ret, program, &actions, &attr, argv, env);
			posix_spawnattr_destroy(&attr);
		}
		posix_spawn_file_actions_destroy(&actions);
	}
	free(env);
	return r;
}

static int start_child(
		struct check_call *call, const struct check_client_conf *conf, struct why *why)
{
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return why_errno(why, errno, "cannot make a socket pair for sluice-check");
	call->fd = pair[0];
	evutil_make_socket_nonblocking(call->fd);
	r = spawn(conf->program, pair[1], &call->pid);
	close(pair[1]);
	if (r != 0)
		return why_errno(why, r, "cannot start %s", conf->program);
	call->pidfd = pidfd_open(call->pid, 0);
	if (call->pidfd < 0) {
		r = errno;
		kill(call->pid, SIGKILL);
		waitpid(call->pid, NULL, 0);
		return why_errno(why, r, "cannot watch sluice-check");
	}
	return 0;
}

static int add_events(struct check_call *call, struct event_base *base, struct why *why)
{
	struct timeval deadline = {.tv_sec = call->deadline_ms / 1000,
			.tv_usec = (suseconds_t)(call->deadline_ms % 1000) * 1000};

	call->on_read = event_new(base, call->fd, EV_READ | EV_PERSIST, on_read, call);
	call->on_write = event_new(base, call->fd, EV_WRITE | EV_PERSIST, on_write, call);
	call->on_deadline = event_new(base, -1, 0, on_deadline, call);
	if (call->on_read == NULL || call->on_write == NULL || call->on_deadline == NULL ||
			event_add(call->on_read, NULL) < 0 || event_add(call->on_write, NULL) < 0 ||
			event_add(call->on_deadline, &deadline) < 0)
		return why_errno(why, ENOMEM, "cannot watch sluice-check");
	return 0;
}

int check_start(struct check_call **ret, struct event_base *base,
		const struct check_client_conf *conf, const json_t *request, check_done_fn *done,
		void *arg, struct why *why)
{
	sl_auto(check_call) call = calloc(1, sizeof(*call));
	int r;

	if (call == NULL)
		return why_errno(why, ENOMEM, "cannot ask sluice-check");
	call->magic = CHECK_CALL_MAGIC;
	call->fd = call->pidfd = -1;
	call->deadline_ms = conf->deadline_ms != 0 ? conf->deadline_ms : DEADLINE_MS_DEFAULT;
	call->done = done;
	call->arg = arg;
	call->request = json_dumps(request, JSON_COMPACT);
	if (call->request == NULL) {
		why_set(why, NULL, 0, "the request for sluice-check is not valid JSON");
		return -EINVAL;
	}
	call->request_n = strlen(call->request);
	r = start_child(call, conf, why);
	if (r == 0)
		r = add_events(call, base, why);
	if (r < 0)
		return r;
	if (ret != NULL)
		*ret = call;
	call = NULL;
	return 0;
}

struct run {
	json_t *verdict;
	struct why *why;
	bool is_done;
};

static void on_done(void *arg, json_t *verdict, const struct why *why)
{
	struct run *run = arg;

	run->verdict = json_incref(verdict);
	run->is_done = true;
	if (verdict == NULL && run->why != NULL)
		*run->why = *why;
}

json_t *check_run(const struct check_client_conf *conf, const json_t *request, struct why *why)
{
	struct event_base *base = event_base_new();
	struct run run = {.why = why};

	if (base == NULL) {
		why_errno(why, ENOMEM, "cannot ask sluice-check");
		return NULL;
	}
	if (check_start(NULL, base, conf, request, on_done, &run, why) == 0) {
		while (!run.is_done && event_base_loop(base, EVLOOP_ONCE) == 0)
			continue;
	}
	event_base_free(base);
	return run.verdict;
}
