/* SPDX-License-Identifier: Apache-2.0 */
#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

/* Everything below runs in the child between fork and exec: system calls only. */

static void child_reset_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First out of the way of every target number, then to it. */
static int child_place_fds(const struct spawn_fd *fds, unsigned n, int first_free)
{
	int moved[SPAWN_FDS_MAX];

	for (unsigned i = 0; i < n; i++) {
		moved[i] = fcntl(fds[i].fd, F_DUPFD_CLOEXEC, first_free);
		if (moved[i] < 0)
			return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (dup2(moved[i], fds[i].as) < 0)
			return -1;
	}
	return 0;
}

static int child_prepare(const struct spawn_fd *fds, unsigned n, int *report, pid_t parent)
{
	int first_free = 3, null_fd;

	for (unsigned i = 0; i < n; i++)
		first_free = fds[i].as >= first_free ? fds[i].as + 1 : first_free;
	*report = fcntl(*report, F_DUPFD_CLOEXEC, first_free);
	if (*report < 0 || child_place_fds(fds, n, first_free) < 0)
		return -1;
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return -1;
	/* numbers below first_free that are not in the table */
	for (int fd = 3; fd < first_free; fd++) {
		bool is_wanted = false;

		for (unsigned i = 0; i < n; i++)
			is_wanted = is_wanted || fds[i].as == fd;
		if (!is_wanted)
			close(fd);
	}
	if (close_range((unsigned)first_free, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	/* what sluiced alone needs; EINVAL: the kernel has none */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_BPF, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_PERFMON, 0, 0);
	/* the master may have died before prctl */
	if (getppid() != parent)
		_exit(0);
	child_reset_signals();
	return 0;
}

static _Noreturn void child_run(char *const argv[], const struct spawn_fd *fds, unsigned n,
		int report, pid_t parent)
{
	int err;

	if (child_prepare(fds, n, &report, parent) == 0)
		execv(argv[0], argv);
	err = errno;
	if (report >= 0 && write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int spawn_program(pid_t *ret, char *const argv[], const struct spawn_fd *fds, unsigned n_fds,
		struct why *why)
{
	sl_auto_fd int report_in = -1;
	int report[2], err = 0;
	pid_t parent = getpid(), pid;
	ssize_t n;

	sl_assert(n_fds <= SPAWN_FDS_MAX);
	if (pipe2(report, O_CLOEXEC) < 0)
		return why_errno(why, errno, "starting %s: pipe", argv[0]);
	report_in = report[0];
	pid = fork();
	if (pid < 0) {
		err = errno;
		close(report[1]);
		return why_errno(why, err, "starting %s: fork", argv[0]);
	}
	if (pid == 0)
		child_run(argv, fds, n_fds, report[1], parent);
	close(report[1]);
	/* closed by a successful exec, or the errno of what failed */
	do {
		n = read(report_in, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	if (n == 0) {
		*ret = pid;
		return 0;
	}
	waitpid(pid, NULL, 0);
	return why_errno(why, n == (ssize_t)sizeof(err) ? err : EIO, "starting %s", argv[0]);
}
