/* SPDX-License-Identifier: Apache-2.0
 *
 * Each case runs in a process of its own, which becomes a shell script: that writes what it was
 * given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "master/handover.h"
#include "master/image.h"

/* Of the record: its first line; of a descriptor in it: whether it is open. */
static const char script[] = "#!/bin/sh\n"
			     "exec > \"$(dirname \"$0\")/said\"\n"
			     "echo \"failed: ${SLUICED_HANDOVER_FAILED-}\"\n"
			     "echo \"args: $*\"\n"
			     "head -n 1 /proc/self/fd/$SLUICED_HANDOVER\n"
			     "[ -e /proc/self/fd/60 ] && echo kept\n"
			     "[ -e /proc/self/fd/61 ] || echo closed\n"
			     "exit 42\n";

struct place {
	char dir[64], program[96], said[96];
};

static void make_place(struct place *p)
{
	int fd;

	snprintf(p->dir, sizeof(p->dir), "/tmp/test_image-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->program, sizeof(p->program), "%s/program", p->dir);
	snprintf(p->said, sizeof(p->said), "%s/said", p->dir);
	fd = open(p->program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	close(fd);
}

static void remove_place(const struct place *p)
{
	unlink(p->said);
	unlink(p->program);
	rmdir(p->dir);
}

static struct handover *make_record(const struct place *p)
{
	struct handover *h = NULL;

	if (handover_new(&h) < 0 || !handover_set_text(&h->program, p->program))
		_exit(1);
	h->board_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 60);
	fcntl(STDERR_FILENO, F_DUPFD, 61); /* not in the record */
	h->binary_fd = open(p->program, O_RDONLY | O_CLOEXEC);
	return h;
}

typedef void case_fn(const struct place *p, struct handover *h);

/* What the script said. */
static void run(case_fn *fn, char ret[1024])
{
	struct place p;
	int status = 0, fd;
	ssize_t n;
	pid_t pid;

	make_place(&p);
	pid = fork();
	if (pid == 0) {
		fn(&p, make_record(&p));
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	fd = open(p.said, O_RDONLY | O_CLOEXEC);
	n = read(fd, ret, 1023);
	assert_true(n > 0);
	ret[n] = '\0';
	close(fd);
	remove_place(&p);
}

static void become(const struct place *p, struct handover *h)
{
	image_become(h, p->program, "/etc/sluice.yaml", NULL, NULL);
}

static void the_next_image_gets_the_record_and_its_descriptors_and_no_others(void **state)
{
	char said[1024];

	(void)state;
	run(become, said);
	assert_string_equal(said, "failed: \nargs: -c /etc/sluice.yaml\nsluice-handover 1\nkept\n"
				  "closed\n");
}

static void go_back_by_path(const struct place *p, struct handover *h)
{
	image_go_back(h, p->program, h->binary_fd, NULL, "a reason; with $(words)", NULL);
}

static void the_way_back_says_why(void **state)
{
	char said[1024];

	(void)state;
	run(go_back_by_path, said);
	assert_string_equal(said, "failed: a reason; with $(words)\nargs: \nsluice-handover 1\n"
				  "kept\nclosed\n");
}

static void crash(const struct place *p, struct handover *h)
{
	(void)p;
	image_guard(h, NULL, 60);
	raise(SIGSEGV);
}

static void abort_(const struct place *p, struct handover *h)
{
	(void)p;
	image_guard(h, NULL, 60);
	abort();
}

static void hang(const struct place *p, struct handover *h)
{
	(void)p;
	image_guard(h, NULL, 1);
	for (;;)
		pause();
}

static void an_image_that_crashes_or_hangs_at_its_beginning_goes_back(void **state)
{
	static case_fn *const cases[] = {crash, abort_, hang};
	char said[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i], said);
		assert_non_null(strstr(said, "failed: it crashed, or took too long to begin\n"));
		assert_non_null(strstr(said, "sluice-handover 1\nkept\nclosed\n"));
	}
}

static void end_unguarded(const struct place *p, struct handover *h)
{
	image_guard(h, NULL, 1);
	image_unguard();
	sleep(2);
	image_become(h, p->program, NULL, NULL, NULL);
}

static void one_that_has_begun_is_guarded_no_longer(void **state)
{
	char said[1024];

	(void)state;
	run(end_unguarded, said);
	assert_non_null(strstr(said, "failed: \n"));
}

static void hold_a_signal(const struct place *p, struct handover *h)
{
	sigset_t pending;

	signal(SIGTERM, SIG_DFL);
	/* fails, and everything is as it was */
	if (image_become(h, "/nonexistent", NULL, NULL, NULL) != -ENOENT ||
			(fcntl(h->board_fd, F_GETFD) & FD_CLOEXEC) == 0)
		_exit(2);
	sigpending(&pending);
	if (!sigisemptyset(&pending))
		_exit(3);
	image_become(h, p->program, NULL, NULL, NULL);
}

static void an_exec_that_fails_changes_nothing(void **state)
{
	char said[1024];

	(void)state;
	run(hold_a_signal, said);
	assert_non_null(strstr(said, "kept\nclosed\n"));
}

static void what_the_environment_says_is_taken_once(void **state)
{
	sl_auto(handover) h = NULL;
	sl_auto(handover) record = NULL;
	struct why why = WHY_NONE;
	const char *failure = NULL;
	char number[16];
	int fd;

	(void)state;
	assert_int_equal(image_inherited(&h, &failure, &why), 0);
	assert_null(h);
	assert_int_equal(handover_new(&record), 0);
	record->n_workers = 3;
	fd = handover_to_fd(record, &why);
	snprintf(number, sizeof(number), "%d", fd);
	setenv("SLUICED_HANDOVER", number, 1);
	setenv("SLUICED_HANDOVER_FAILED", "no luck", 1);
	assert_int_equal(image_inherited(&h, &failure, &why), 0);
	assert_int_equal(h->n_workers, 3);
	assert_string_equal(failure, "no luck");
	assert_null(getenv("SLUICED_HANDOVER"));
	assert_null(getenv("SLUICED_HANDOVER_FAILED"));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	setenv("SLUICED_HANDOVER", "nonsense", 1);
	handover_free(sl_steal(h));
	assert_int_equal(image_inherited(&h, &failure, &why), -EPROTO);
	unsetenv("SLUICED_HANDOVER");
}

static void this_program_knows_its_path_and_build(void **state)
{
	const struct image *self = image_self();

	(void)state;
	assert_true(str_ends(str_of(self->program), STR("/test_image")));
	assert_int_equal(strlen(self->build), 16);
	assert_true(self->binary_fd >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					the_next_image_gets_the_record_and_its_descriptors_and_no_others),
			cmocka_unit_test(the_way_back_says_why),
			cmocka_unit_test(an_image_that_crashes_or_hangs_at_its_beginning_goes_back),
			cmocka_unit_test(one_that_has_begun_is_guarded_no_longer),
			cmocka_unit_test(an_exec_that_fails_changes_nothing),
			cmocka_unit_test(what_the_environment_says_is_taken_once),
			cmocka_unit_test(this_program_knows_its_path_and_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
