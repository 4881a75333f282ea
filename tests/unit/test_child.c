/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "master/child.h"
#include "master/spawn.h"

struct run {
	struct event_base *base;
	struct child *child;
	const char *script;
	const struct spawn_fd *fds;
	unsigned n_fds;
	int ends, stop_after;
	int status;
	bool is_last;
};

static int start(void *arg, pid_t *ret, struct why *why)
{
	struct run *r = arg;
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)r->script, NULL};

	return spawn_program(ret, argv, r->fds, r->n_fds, why);
}

static void ended(void *arg, int status, bool is_last)
{
	struct run *r = arg;

	r->ends++;
	r->status = status;
	r->is_last = is_last;
	if (is_last || r->ends == r->stop_after)
		event_base_loopexit(r->base, NULL);
}

static const struct child_events events = {.start = start, .ended = ended};

static void run_begin(struct run *r, const char *script)
{
	log_init("test", LOG_EMERG);
	r->script = script;
	r->base = event_base_new();
	assert_int_equal(child_new(&r->child, r->base, "test", &events, r), 0);
	child_start(r->child);
}

static void run_end(struct run *r)
{
	child_free(r->child);
	event_base_free(r->base);
}

static void a_child_that_dies_is_started_again(void **state)
{
	struct run r = {.stop_after = 3};

	(void)state;
	run_begin(&r, "kill -9 $$");
	event_base_dispatch(r.base);
	assert_int_equal(r.ends, 3);
	assert_false(r.is_last);
	assert_int_equal(WTERMSIG(r.status), SIGKILL);
	assert_int_equal(child_restarts(r.child), 2);
	run_end(&r);
}

static void a_stopped_child_stays_down(void **state)
{
	struct run r = {.stop_after = 100};

	(void)state;
	run_begin(&r, "exec sleep 60");
	assert_true(child_stop(r.child, SIGTERM, 5000));
	event_base_dispatch(r.base);
	assert_int_equal(r.ends, 1);
	assert_true(r.is_last);
	assert_int_equal(child_pid(r.child), 0);
	assert_false(child_stop(r.child, SIGTERM, 5000));
	run_end(&r);
}

static void a_child_deaf_to_the_signal_is_killed_after_its_grace(void **state)
{
	struct run r = {.stop_after = 100};

	(void)state;
	run_begin(&r, "trap '' TERM; while :; do sleep 0.05; done");
	usleep(100000);
	assert_true(child_stop(r.child, SIGTERM, 50));
	event_base_dispatch(r.base);
	assert_int_equal(WTERMSIG(r.status), SIGKILL);
	run_end(&r);
}

static void a_child_has_the_fds_of_its_table_and_no_other(void **state)
{
	int a = open("/dev/zero", O_RDONLY | O_CLOEXEC), b = open("/dev/null", O_RDONLY);
	const struct spawn_fd fds[] = {{b, 4}, {a, 3}};
	struct run r = {.fds = fds, .n_fds = 2, .stop_after = 1};

	(void)state;
	/* sh itself may hold one more to read the folder */
	run_begin(&r, "test \"$(readlink /proc/$$/fd/3)\" = /dev/zero && "
		      "test \"$(readlink /proc/$$/fd/4)\" = /dev/null && "
		      "test \"$(readlink /proc/$$/fd/0)\" = /dev/null && "
		      "test \"$(ls /proc/$$/fd | wc -l)\" -le 6");
	event_base_dispatch(r.base);
	assert_true(WIFEXITED(r.status));
	assert_int_equal(WEXITSTATUS(r.status), 0);
	run_end(&r);
	close(a);
	close(b);
}

static void a_program_that_is_not_there_is_an_error_of_the_start(void **state)
{
	char *argv[] = {(char[]){"/nonexistent/program"}, NULL};
	struct why why = WHY_NONE;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(spawn_program(&pid, argv, NULL, 0, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/program"));
	assert_int_equal(pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_child_that_dies_is_started_again),
			cmocka_unit_test(a_stopped_child_stays_down),
			cmocka_unit_test(a_child_deaf_to_the_signal_is_killed_after_its_grace),
			cmocka_unit_test(a_child_has_the_fds_of_its_table_and_no_other),
			cmocka_unit_test(a_program_that_is_not_there_is_an_error_of_the_start),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
