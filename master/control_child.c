/* SPDX-License-Identifier: Apache-2.0 */
#include "master/control_child.h"

#include <errno.h>
#include <signal.h>

#include "master/handover.h"
#include "master/spawn.h"
#include "shm/programs.h"

#define CONF_FD 3
#define STOP_GRACE_MS 5000

struct control_child {
	struct child *child;
	char *program;
	int conf_fd;
	void (*stopped)(void *arg);
	void *arg;
};

static int start(void *arg, pid_t *ret, struct why *why)
{
	struct control_child *c = arg;
	const struct spawn_fd fds[] = {{c->conf_fd, CONF_FD}};
	char *argv[] = {c->program, (char[]){"--conf-fd"}, (char[]){"3"}, NULL};

	return spawn_program(ret, argv, fds, 1, why);
}

static void ended(void *arg, int status, bool is_last)
{
	struct control_child *c = arg;

	(void)status;
	if (is_last)
		c->stopped(c->arg);
}

static const struct child_events events = {.start = start, .ended = ended};

int control_child_new(struct control_child **ret, struct event_base *base, const struct conf *conf,
		void (*stopped)(void *arg), void *arg, struct why *why)
{
	sl_auto(control_child) c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return why_errno(why, ENOMEM, "sluice-control");
	c->stopped = stopped;
	c->arg = arg;
	c->conf_fd = -1;
	r = program_find("sluice-control", &c->program, why);
	if (r < 0)
		return r;
	c->conf_fd = conf_to_fd(conf, why);
	if (c->conf_fd < 0)
		return c->conf_fd;
	if (child_new(&c->child, base, "sluice-control", &events, c) < 0)
		return why_errno(why, ENOMEM, "sluice-control");
	*ret = sl_steal(c);
	return 0;
}

void control_child_free(struct control_child *c)
{
	if (c == NULL)
		return;
	child_free(c->child);
	sl_close_fd(&c->conf_fd);
	free(c->program);
	free(c);
}

void control_child_start(struct control_child *c)
{
	child_start(c->child);
}

int control_child_adopt(struct control_child *c, const struct handover *before, struct why *why)
{
	int r;

	if (before->control_pid == 0)
		return 0;
	r = child_adopt(c->child, (pid_t)before->control_pid, (uint32_t)before->control_starts,
			before->control_started_ms);
	return r < 0 ? why_errno(why, -r, "sluice-control") : 0;
}

void control_child_hand_over(const struct control_child *c, struct handover *h)
{
	h->control_pid = (uint64_t)child_pid(c->child);
	h->control_starts = child_starts(c->child);
	h->control_started_ms = child_started_ms(c->child);
}

void control_child_restart(struct control_child *c)
{
	child_replace(c->child, SIGTERM, STOP_GRACE_MS);
}

bool control_child_stop(struct control_child *c, bool is_fast)
{
	return child_stop(c->child, is_fast ? SIGKILL : SIGTERM, STOP_GRACE_MS);
}

bool control_child_reload(struct control_child *c)
{
	return child_pid(c->child) != 0 && kill(child_pid(c->child), SIGHUP) == 0;
}

const struct child *control_child_process(const struct control_child *c)
{
	return c->child;
}
