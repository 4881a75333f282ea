/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "master/handover_check.h"

static struct handover *sample(void)
{
	struct handover *h = NULL;
	struct handover_count *c;

	assert_int_equal(handover_new(&h), 0);
	assert_true(handover_set_text(&h->version, "1.2.3"));
	assert_true(handover_set_text(&h->program, "/a path/with spaces"));
	assert_true(handover_set_text(&h->steering_reason, "first\nsecond"));
	assert_true(handover_add_same(h, "proxy_listen", "0.0.0.0:8000, [::]:8000"));
	assert_true(handover_add_same(h, "bpf_pin_dir", ""));
	h->n_workers = 3;
	h->started_ms = UINT64_MAX;
	h->board_fd = 7;
	h->listeners[h->n_listeners++] = (struct handover_listener){2, 1, 40};
	h->status[h->n_status++] = 41;
	h->seats[h->n_seats++] = (struct handover_seat){.slot = 5,
			.pid = 4711,
			.channel = 20,
			.wake = 21,
			.is_ready = true,
			.has_served = true,
			.starts = 9,
			.generation = 1ULL << 40,
			.started_ms = 12,
			.drain_ms = 34};
	h->seats[h->n_seats++] = (struct handover_seat){.slot = 4, .channel = -1, .wake = -1};
	h->workers[2] = (struct handover_worker){1, true, 77};
	h->drains[h->n_drains++] = (struct handover_drain){HANDOVER_NODE, 100, 200};
	h->drains[h->n_drains++] = (struct handover_drain){2, 300, 400};
	for (uint32_t i = 0; i < 5; i++) {
		c = handover_add_count(h);
		assert_non_null(c);
		c->slot = i == 0 ? HANDOVER_PAST : i;
		snprintf(c->total.plugin, sizeof(c->total.plugin), "plugin-%u", i);
		memset(c->version, (int)i, sizeof(c->version));
		c->total.runs = i * 1000;
		c->total.memory_bytes = UINT64_MAX - i;
	}
	return h;
}

static void what_is_written_is_read_back_to_the_last_field(void **state)
{
	sl_auto(handover) h = sample();
	sl_auto(handover) back = NULL;
	sl_auto_buf once = {.p = NULL}, again = {.p = NULL};
	struct why why = WHY_NONE;

	(void)state;
	handover_write(h, &once);
	assert_int_equal(handover_parse(&back, buf_str(&once), &why), 0);
	handover_write(back, &again);
	assert_string_equal(buf_z(&once), buf_z(&again));
	assert_string_equal(back->program, "/a path/with spaces");
	assert_string_equal(back->steering_reason, "first");
	assert_string_equal(back->same[0].value, "0.0.0.0:8000, [::]:8000");
	assert_string_equal(back->same[1].value, "");
	assert_true(back->started_ms == UINT64_MAX);
	assert_int_equal(back->board_fd, 7);
	assert_int_equal(back->stat_fd, -1);
	assert_int_equal(handover_seat(back, 5)->pid, 4711);
	assert_int_equal(handover_seat(back, 4)->channel, -1);
	assert_null(handover_seat(back, 6));
	assert_int_equal(back->workers[2].current, 1);
	assert_int_equal(back->drains[0].worker, HANDOVER_NODE);
	assert_int_equal(back->n_counts, 5);
	assert_int_equal(back->counts[0].slot, HANDOVER_PAST);
	assert_int_equal(back->counts[4].total.runs, 4000);
}

static void it_goes_through_a_memfd(void **state)
{
	sl_auto(handover) h = sample();
	sl_auto(handover) back = NULL;
	struct why why = WHY_NONE;
	sl_auto_fd int fd = handover_to_fd(h, &why), other = memfd_create("other", MFD_CLOEXEC);
	int ends[2];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(handover_from_fd(&back, fd, &why), 0);
	assert_int_equal(back->n_workers, 3);
	assert_int_equal(handover_from_fd(&back, other, &why), -EPROTO);
	assert_int_equal(ftruncate(other, HANDOVER_BYTES_MAX + 1), 0);
	assert_int_equal(handover_from_fd(&back, other, &why), -EPROTO);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(handover_from_fd(&back, ends[0], &why), -EPROTO);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(handover_from_fd(&back, 9999, &why), -EBADF);
}

static void another_format_is_refused_by_its_number(void **state)
{
	sl_auto(handover) back = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(handover_parse(&back, STR("sluice-handover 2\nend\n"), &why), -EPROTO);
	assert_non_null(strstr(why.text, "has format 2, this one knows 1"));
	assert_int_equal(handover_parse(&back, STR("#!/bin/sh\n"), &why), -EPROTO);
	assert_non_null(strstr(why.text, "is not what a running sluiced hands over"));
	assert_null(back);
}

/* Each is the second line of a record; the third is "end". */
static void a_line_that_is_not_understood_is_named(void **state)
{
	static const char *const lines[] = {"", "strange 1", "text nosuch x", "number n_workers",
			"number n_workers -1", "number n_workers 1 2",
			"number n_workers 99999999999999999999", "number nosuch 1", "fd board 2",
			"fd board -1", "fd board 99999999", "fd nosuch 5", "same", "same ",
			"listener 64 0 5", "listener 0 32 5", "listener 0 0 1", "listener 0 0 5 6",
			"status 0", "seat 128 1 5 6 0 0 0 0 0 0 0", "seat 0 1 5 6 2 0 0 0 0 0 0",
			"seat 0 1 5 6 0 0 0 0 0 0", "seat 0 1 5 6 0 0 0 0 0 0 0 0",
			"seat 0 4294967296 5 6 0 0 0 0 0 0 0", "worker 64 0 0 0", "worker 0 2 0 0",
			"worker 0 1 0", "drain 64 0 0", "drain 0 0", "count p - 00 1",
			"count  - 00 1", "count p 128 00",
			"count p - "
			"0000000000000000000000000000000000000000000000000000000000000000 "
			"runs",
			"count p - "
			"0000000000000000000000000000000000000000000000000000000000000000 "
			"runs=x",
			"end of it"};
	sl_auto(handover) back = NULL;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct why why = WHY_NONE;

		snprintf(text, sizeof(text), "sluice-handover 1\n%s\nend\n", lines[i]);
		if (handover_parse(&back, str_of(text), &why) != -EPROTO || why.line != 2)
			fail_msg("\"%s\" was taken (line %d: %s)", lines[i], why.line, why.text);
	}
}

static void counts_of_another_version_are_left_out(void **state)
{
	sl_auto(handover) h = NULL;
	sl_auto_buf text = {.p = NULL};
	struct why why = WHY_NONE;

	(void)state;
	buf_printf(&text, "sluice-handover 1\ncount p 3 %064d runs=7 inventions=8 errors=9\nend\n",
			0);
	assert_int_equal(handover_parse(&h, buf_str(&text), &why), 0);
	assert_int_equal(h->counts[0].total.runs, 7);
	assert_int_equal(h->counts[0].total.errors, 9);
	assert_int_equal(h->counts[0].total.held, 0);
}

static void a_slot_has_one_process_and_a_record_has_an_end(void **state)
{
	static const char twice[] = "sluice-handover 1\nseat 1 5 6 7 0 0 0 0 0 0 0\n"
				    "seat 1 5 6 7 0 0 0 0 0 0 0\nend\n";
	sl_auto(handover) back = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(handover_parse(&back, str_of(twice), &why), -EPROTO);
	assert_int_equal(why.line, 3);
	assert_int_equal(handover_parse(&back, STR("sluice-handover 1\n"), &why), -EPROTO);
	assert_int_equal(handover_parse(&back, STR("sluice-handover 1\nend\nfd board 5\n"), &why),
			-EPROTO);
	assert_int_equal(handover_parse(&back, STR("sluice-handover 1\nend"), &why), -EPROTO);
	assert_int_equal(handover_parse(&back, STR("sluice-handover 1\nsame a\0b c\nend\n"), &why),
			-EPROTO);
}

/* A record cut anywhere is refused, whatever is left of it. */
static void no_part_of_a_record_is_a_record(void **state)
{
	sl_auto(handover) h = sample();
	sl_auto_buf whole = {.p = NULL};

	(void)state;
	handover_write(h, &whole);
	for (size_t n = 0; n < whole.n; n++) {
		sl_auto(handover) back = NULL;

		assert_int_equal(
				handover_parse(&back, str_head(buf_str(&whole), n), NULL), -EPROTO);
	}
}

static void too_much_of_anything_is_refused(void **state)
{
	static const struct {
		const char *line;
		size_t n;
	} rows[] = {{"same a b", HANDOVER_SAME_MAX}, {"listener 0 0 5", HANDOVER_LISTENERS_MAX},
			{"status 5", HANDOVER_STATUS_MAX}, {"drain - 0 0", CONF_WORKERS_MAX + 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sl_auto_buf text = {.p = NULL};
		sl_auto(handover) good = NULL;
		sl_auto(handover) bad = NULL;

		buf_printf(&text, "sluice-handover 1\n");
		for (size_t k = 0; k < rows[i].n; k++)
			buf_printf(&text, "%s\n", rows[i].line);
		buf_printf(&text, "end\n");
		assert_int_equal(handover_parse(&good, buf_str(&text), NULL), 0);
		text.n -= 4;
		buf_printf(&text, "%s\nend\n", rows[i].line);
		assert_int_equal(handover_parse(&bad, buf_str(&text), NULL), -EPROTO);
	}
}

static void descriptors_are_kept_over_exec_only_when_told(void **state)
{
	sl_auto(handover) h = NULL;
	struct why why = WHY_NONE;
	sl_auto_fd int copy = -1;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(handover_new(&h), 0);
	h->board_fd = ends[0];
	h->listeners[h->n_listeners++] = (struct handover_listener){0, 0, ends[1]};
	assert_int_equal(handover_let_inherit(h, true, &why), 0);
	assert_int_equal(fcntl(ends[0], F_GETFD), 0);
	assert_int_equal(fcntl(ends[1], F_GETFD), 0);
	assert_int_equal(handover_let_inherit(h, false, &why), 0);
	assert_int_equal(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	copy = handover_take(h->board_fd);
	assert_true(copy >= 0 && fcntl(copy, F_GETFD) == FD_CLOEXEC);
	handover_close(h);
	assert_int_equal(fcntl(ends[1], F_GETFD), -1);
	assert_int_equal(handover_let_inherit(h, true, &why), -EBADF);
	assert_int_equal(handover_take(-1), -EBADF);
}

static void what_must_not_differ_is_compared_by_name(void **state)
{
	sl_auto(handover) h = NULL;
	sl_auto(conf) conf = NULL;
	struct why why = WHY_NONE;
	char text[1200];

	(void)state;
	assert_int_equal(conf_load(&conf, NULL, &why), 0);
	assert_int_equal(handover_new(&h), 0);
	assert_int_equal(handover_compare_same(h, conf, &why), -EPROTO);
	assert_true(handover_fill_same(h, conf));
	assert_int_equal(handover_compare_same(h, conf, &why), 0);
	for (size_t i = 0; i < h->n_same; i++) {
		char *value = h->same[i].value;

		h->same[i].value = (char[]){"other"};
		why = WHY_NONE;
		assert_int_equal(handover_compare_same(h, conf, &why), -EPROTO);
		assert_non_null(strstr(why_text(&why, text, sizeof(text)), h->same[i].name));
		assert_non_null(strstr(text, "other"));
		h->same[i].value = value;
	}
	assert_true(h->n_same > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_is_written_is_read_back_to_the_last_field),
			cmocka_unit_test(it_goes_through_a_memfd),
			cmocka_unit_test(another_format_is_refused_by_its_number),
			cmocka_unit_test(a_line_that_is_not_understood_is_named),
			cmocka_unit_test(counts_of_another_version_are_left_out),
			cmocka_unit_test(a_slot_has_one_process_and_a_record_has_an_end),
			cmocka_unit_test(no_part_of_a_record_is_a_record),
			cmocka_unit_test(too_much_of_anything_is_refused),
			cmocka_unit_test(descriptors_are_kept_over_exec_only_when_told),
			cmocka_unit_test(what_must_not_differ_is_compared_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
