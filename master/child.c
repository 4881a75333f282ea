/* SPDX-License-Identifier: Apache-2.0 */
#include "master/child.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/backoff.h"

#define CHILD_MAGIC SL_MAGIC('C', 'H', 'L', 'D')

struct child {
	uint32_t magic;
	char name[48];
	struct event_base *base;
	const struct child_events *events;
	void *arg;

	pid_t pid;
	int pidfd;
	struct event *exited;
	struct event *respawn;    /* back-off over */
	struct event *impatience; /* grace over */
	bool is_stopping, is_replaced;
	uint64_t started_ms;
	uint32_t starts;
	struct backoff backoff;
};

static void arm_ms(struct event *ev, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(ev, &tv);
}

static void describe_end(char *ret, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(ret, size, "signal %d (%s)", WTERMSIG(status),
				strsignal(WTERMSIG(status)));
	else
		snprintf(ret, size, "exit code %d", WEXITSTATUS(status));
}

static void start_later(struct child *c, uint64_t ran_ms)
{
	arm_ms(c->respawn, backoff_next(&c->backoff, ran_ms));
}

/* By itself, or by what a stop sends: to it alone or to the whole process group. */
static bool is_orderly_end(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       (WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT ||
						       WTERMSIG(status) == SIGKILL));
}

static void log_end(const struct child *c, int status, uint64_t ran_ms)
{
	enum log_level level = c->is_stopping && is_orderly_end(status) ? LOG_INFO : LOG_WARN;
	char how[64];

	describe_end(how, sizeof(how), status);
	log_at(level, "child ended", "child=\"%s\" child_pid=%d how=\"%s\" ran_ms=%llu", c->name,
			(int)c->pid, how, (unsigned long long)ran_ms);
}

static void forget_process(struct child *c)
{
	if (c->exited != NULL)
		event_free(c->exited);
	c->exited = NULL;
	if (c->pidfd >= 0)
		close(c->pidfd);
	c->pidfd = -1;
	c->pid = 0;
	event_del(c->impatience);
}

static void on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	uint64_t ran_ms = clock_mono_ms() - c->started_ms;
	bool is_last;
	int status = 0;

	(void)fd;
	(void)what;
	sl_check(c, CHILD_MAGIC);
	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	log_end(c, status, ran_ms);
	forget_process(c);
	is_last = c->is_stopping && !c->is_replaced;
	if (!is_last) {
		/* a replacement that was asked for is no failure */
		if (c->is_replaced)
			c->backoff.last_ms = 0;
		start_later(c, ran_ms);
	}
	c->is_stopping = c->is_replaced = false;
	c->events->ended(c->arg, status, is_last);
}

static int watch_process(struct child *c)
{
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0)
		return -errno;
	c->exited = event_new(c->base, c->pidfd, EV_READ | EV_PERSIST, on_exited, c);
	return c->exited == NULL || event_add(c->exited, NULL) < 0 ? -ENOMEM : 0;
}

void child_start(struct child *c)
{
	struct why why = WHY_NONE;
	char text[1200];
	int r;

	sl_check(c, CHILD_MAGIC);
	event_del(c->respawn);
	if (c->pid != 0)
		return;
	c->started_ms = clock_mono_ms();
	c->starts++;
	r = c->events->start(c->arg, &c->pid, &why);
	if (r == 0) {
		r = watch_process(c);
		if (r < 0) {
			why_errno(&why, -r, "watching %s", c->name);
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
			forget_process(c);
		}
	}
	if (r < 0) {
		c->pid = 0;
		log_err("cannot start a child", "child=\"%s\" error=\"%s\"", c->name,
				why_text(&why, text, sizeof(text)));
		start_later(c, 0);
	}
}

int child_adopt(struct child *c, pid_t pid, uint32_t starts, uint64_t started_ms)
{
	siginfo_t info = {.si_pid = 0};
	int r;

	sl_check(c, CHILD_MAGIC);
	sl_assert(c->pid == 0);
	c->starts = starts;
	c->started_ms = started_ms;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -errno;
	c->pid = pid;
	r = watch_process(c);
	if (r < 0)
		forget_process(c);
	return r;
}

static void on_respawn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	child_start(arg);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	if (c->pid == 0)
		return;
	log_warn("child did not stop in time: killed", "child=\"%s\" child_pid=%d", c->name,
			(int)c->pid);
	kill(c->pid, SIGKILL);
}

int child_new(struct child **ret, struct event_base *base, const char *name,
		const struct child_events *events, void *arg)
{
	sl_auto(child) c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->magic = CHILD_MAGIC;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->base = base;
	c->events = events;
	c->arg = arg;
	c->pidfd = -1;
	c->respawn = evtimer_new(base, on_respawn, c);
	c->impatience = evtimer_new(base, on_impatience, c);
	if (c->respawn == NULL || c->impatience == NULL)
		return -ENOMEM;
	*ret = sl_steal(c);
	return 0;
}

void child_free(struct child *c)
{
	if (c == NULL)
		return;
	sl_check(c, CHILD_MAGIC);
	if (c->pid != 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	if (c->exited != NULL)
		event_free(c->exited);
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->respawn != NULL)
		event_free(c->respawn);
	if (c->impatience != NULL)
		event_free(c->impatience);
	c->magic = 0;
	free(c);
}

void child_set_delay(struct child *c, uint32_t first_ms)
{
	sl_check(c, CHILD_MAGIC);
	c->backoff.first_ms = first_ms;
}

static void tell_to_end(struct child *c, int sig, uint32_t grace_ms)
{
	c->is_stopping = true;
	if (sig != 0)
		kill(c->pid, sig);
	arm_ms(c->impatience, grace_ms);
}

bool child_stop(struct child *c, int sig, uint32_t grace_ms)
{
	sl_check(c, CHILD_MAGIC);
	event_del(c->respawn);
	c->is_replaced = false;
	if (c->pid == 0)
		return false;
	tell_to_end(c, sig, grace_ms);
	return true;
}

void child_replace(struct child *c, int sig, uint32_t grace_ms)
{
	sl_check(c, CHILD_MAGIC);
	if (c->pid == 0 || c->is_stopping)
		return;
	c->is_replaced = true;
	tell_to_end(c, sig, grace_ms);
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

uint32_t child_restarts(const struct child *c)
{
	return c->starts > 0 ? c->starts - 1 : 0;
}

uint32_t child_starts(const struct child *c)
{
	return c->starts;
}

uint64_t child_started_ms(const struct child *c)
{
	return c->started_ms;
}

uint32_t child_grace_ms(const struct child *c)
{
	struct timeval at, now, left;

	if (c->pid == 0 || !event_pending(c->impatience, EV_TIMEOUT, &at))
		return 0;
	/* libevent tells the time of day */
	evutil_gettimeofday(&now, NULL);
	if (!evutil_timercmp(&at, &now, >))
		return 1;
	evutil_timersub(&at, &now, &left);
	return (uint32_t)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
}

uint64_t child_age_ms(const struct child *c)
{
	return clock_mono_ms() - c->started_ms;
}
