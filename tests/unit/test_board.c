/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/board.h"
#include "shm/programs.h"
#include "shm/stat.h"

static void what_the_master_stores_on_the_board_its_workers_read(void **state)
{
	struct why why = WHY_NONE;
	struct board *b = NULL, *w = NULL;
	sl_auto_fd int fd = -1;

	(void)state;
	assert_int_equal(board_create(&b, &fd, 4, &why), 0);
	assert_int_equal(board_map(&w, fd, &why), 0);
	assert_ptr_not_equal(b, w);
	assert_int_equal(w->n_slots, 4);
	atomic_store(&b->live_generation, 17);
	assert_int_equal(atomic_load(&w->live_generation), 17);
	atomic_store(&w->slots[3].state, SLOT_READY);
	assert_int_equal(atomic_load(&b->slots[3].state), SLOT_READY);
	board_unmap(w);
	board_unmap(b);
}

static void a_board_has_between_1_and_64_slots(void **state)
{
	struct why why = WHY_NONE;
	struct board *b = NULL;
	int fd = -1;

	(void)state;
	assert_int_equal(board_create(&b, &fd, 0, &why), -EINVAL);
	assert_int_equal(board_create(&b, &fd, BOARD_SLOTS_MAX + 1, &why), -EINVAL);
}

static void an_fd_that_is_no_board_is_refused(void **state)
{
	struct why why = WHY_NONE;
	struct board *b = NULL;
	struct stat_area *a = NULL;
	sl_auto_fd int empty = memfd_create("x", 0), counters = -1;

	(void)state;
	assert_int_equal(board_map(&b, empty, &why), -EBADF);
	assert_int_equal(ftruncate(empty, sizeof(struct board)), 0);
	assert_int_equal(board_map(&b, empty, &why), -EBADF);
	assert_int_equal(stat_create(&a, &counters, 1, &why), 0);
	assert_int_equal(board_map(&b, counters, &why), -EBADF);
	assert_int_equal(board_map(&b, -1, &why), -EBADF);
	assert_null(b);
	stat_unmap(a);
}

static void nobody_can_shrink_what_others_have_mapped(void **state)
{
	struct why why = WHY_NONE;
	struct board *b = NULL;
	sl_auto_fd int fd = -1;

	(void)state;
	assert_int_equal(board_create(&b, &fd, 1, &why), 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	board_unmap(b);
}

static void counters_read_back_by_row_as_text_and_as_json(void **state)
{
	struct why why = WHY_NONE;
	struct stat_area *a = NULL, *w = NULL;
	sl_auto_fd int fd = -1;
	sl_auto_buf out = {.p = NULL};
	size_t n;
	const struct stat_row *rows = stat_rows(&n);

	(void)state;
	assert_int_equal(stat_create(&a, &fd, 2, &why), 0);
	assert_int_equal(stat_map(&w, fd, &why), 0);
	stat_add(&w->workers[1].connections_accepted, 5);
	stat_add(&w->workers[0].connections_accepted, 2);
	stat_add(&w->workers[1].connections_active, 3);
	stat_sub(&w->workers[1].connections_active, 1);
	assert_string_equal(rows[0].name, "connections_accepted");
	assert_int_equal(stat_read(&a->workers[1], 0), 5);
	assert_int_equal(stat_read(&a->workers[1], 1), 2);
	assert_int_equal(stat_total(a, 0), 7);
	stat_json(a, 2, &out);
	assert_non_null(strstr(buf_z(&out), "[{\"worker\":0,\"connections_accepted\":2,"));
	stat_unmap(w);
	stat_unmap(a);
}

static void programs_are_found_by_name_only(void **state)
{
	struct why why = WHY_NONE;
	char *path = NULL;

	(void)state;
	assert_int_equal(program_find("sh", &path, &why), -EINVAL);
	assert_int_equal(program_find("../bin/sh", &path, &why), -EINVAL);
	setenv("SLUICE_LIBEXEC", "/nonexistent", 1);
	if (program_find("sluice-worker", &path, &why) == 0)
		assert_non_null(strstr(path, "/sluice-worker"));
	else
		assert_non_null(strstr(why.text, "/nonexistent/sluice-worker"));
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_the_master_stores_on_the_board_its_workers_read),
			cmocka_unit_test(a_board_has_between_1_and_64_slots),
			cmocka_unit_test(an_fd_that_is_no_board_is_refused),
			cmocka_unit_test(nobody_can_shrink_what_others_have_mapped),
			cmocka_unit_test(counters_read_back_by_row_as_text_and_as_json),
			cmocka_unit_test(programs_are_found_by_name_only),
	};

	return cmocka_run_group_tests_name("board, stat, programs", tests, NULL, NULL);
}
