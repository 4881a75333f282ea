/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/assoc.h"
#include "worker/cidr.h"
#include "worker/dns.h"
#include "worker/timer.h"

static unsigned fired;

static void on_fire(void *arg)
{
	(void)arg;
	fired++;
}

static void run_until(struct timer_wheel *w, uint64_t *now, uint64_t until)
{
	for (; *now < until; *now += TIMER_TICK_MS)
		timer_wheel_tick(w, *now);
}

static void test_a_timer_fires_once_and_not_early(void **state)
{
	static struct timer_wheel w;
	struct timer t;
	uint64_t now = 1000000;

	(void)state;
	fired = 0;
	timer_wheel_init(&w, now);
	timer_init(&t, on_fire, NULL);
	timer_set(&w, &t, 200);
	run_until(&w, &now, 1000000 + 200);
	assert_int_equal(fired, 0);
	run_until(&w, &now, 1000000 + 200 + 3 * TIMER_TICK_MS);
	assert_int_equal(fired, 1);
	run_until(&w, &now, 1000000 + 10000);
	assert_int_equal(fired, 1);
}

static void test_a_timer_can_move_both_ways_and_far(void **state)
{
	static struct timer_wheel w;
	struct timer t;
	uint64_t now = 5000000, start = now;

	(void)state;
	fired = 0;
	timer_wheel_init(&w, now);
	timer_init(&t, on_fire, NULL);
	timer_set(&w, &t, 100);
	timer_set(&w, &t, 120000); /* farther than the wheel is long */
	run_until(&w, &now, start + 119000);
	assert_int_equal(fired, 0);
	timer_set(&w, &t, 100);
	run_until(&w, &now, start + 119400);
	assert_int_equal(fired, 1);
	timer_set(&w, &t, 100);
	timer_clear(&t);
	run_until(&w, &now, start + 200000);
	assert_int_equal(fired, 1);
}

static bool has(const char *block, const char *address)
{
	struct cidr b, a;

	assert_true(cidr_parse(str_of(block), &b));
	assert_true(cidr_parse(str_of(address), &a));
	return cidr_has(&b, &a);
}

static void test_blocks_hold_their_addresses(void **state)
{
	struct cidr c;

	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.0.1"));
	assert_false(has("10.0.0.0/8", "11.0.0.1"));
	assert_true(has("0.0.0.0/0", "1.2.3.4"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("192.168.1.128/25", "192.168.1.200"));
	assert_false(has("192.168.1.128/25", "192.168.1.100"));
	assert_true(has("10.0.0.1", "::ffff:10.0.0.1"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_false(cidr_parse(STR("10.0.0.0/33"), &c));
	assert_false(cidr_parse(STR("10.0.0/8"), &c));
	assert_false(cidr_parse(STR("a"), &c));
	assert_false(cidr_parse(STR("10.0.0.0/"), &c));
}

struct thing {
	unsigned refs;
};

static void thing_ref(void *p)
{
	((struct thing *)p)->refs++;
}

static void thing_unref(void *p)
{
	((struct thing *)p)->refs--;
}

static void test_the_cache_forgets_older_generations(void **state)
{
	static const struct assoc_kind kind = {thing_ref, thing_unref};
	struct thing a = {1}, b = {1};
	struct assoc *cache;

	(void)state;
	assert_int_equal(assoc_new(&cache, 16, &kind), 0);
	assoc_put(cache, STR("k"), 1, &a);
	assert_int_equal(a.refs, 2);
	assert_ptr_equal(assoc_get(cache, STR("k"), 1), &a);
	assert_null(assoc_get(cache, STR("k"), 2));
	assoc_put(cache, STR("k"), 2, &b);
	assert_int_equal(a.refs, 2); /* the one that assoc_get gave us */
	assert_ptr_equal(assoc_get(cache, STR("k"), 2), &b);
	assert_true(assoc_sweep(cache, 3, 16));
	assert_int_equal(b.refs, 2);
	assoc_free(cache);
	assert_int_equal(b.refs, 2);
}

static void test_a_sweep_begins_anew_with_every_generation(void **state)
{
	static const struct assoc_kind kind = {thing_ref, thing_unref};
	struct thing a = {1};
	struct assoc *cache;

	(void)state;
	for (uint32_t swept = 1; swept < 16; swept++) {
		assert_int_equal(assoc_new(&cache, 16, &kind), 0);
		assert_false(assoc_sweep(cache, 1, swept));
		for (int i = 0; i < 32; i++)
			assoc_put(cache, (struct str){(const char *)&i, sizeof(i)}, 1, &a);
		assert_true(a.refs > 16);
		while (!assoc_sweep(cache, 2, 3))
			;
		assert_int_equal(a.refs, 1);
		assoc_free(cache);
	}
}

static void test_the_cache_stays_bounded(void **state)
{
	static const struct assoc_kind kind = {thing_ref, thing_unref};
	struct thing a = {1};
	struct assoc *cache;

	(void)state;
	assert_int_equal(assoc_new(&cache, 2, &kind), 0);
	for (int i = 0; i < 1000; i++)
		assoc_put(cache, (struct str){(const char *)&i, sizeof(i)}, 1, &a);
	assert_in_range(a.refs, 2, 9);
	assoc_free(cache);
	assert_int_equal(a.refs, 1);
}

static void test_literal_addresses_need_no_look_up(void **state)
{
	struct peer v4, v6, same;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_true(peer_parse(STR("10.1.2.3"), &v4));
	assert_true(peer_parse(STR("[2001:db8::1]"), &v6));
	assert_true(peer_parse(STR("2001:db8::1"), &same));
	assert_true(peer_eq(&v6, &same));
	peer_set_port(&v6, 8080);
	assert_false(peer_eq(&v6, &same));
	assert_int_equal(peer_port(&v6), 8080);
	assert_int_equal(peer_text(&v4, text, sizeof(text)), 8);
	assert_string_equal(text, "10.1.2.3");
	assert_false(peer_parse(STR("10.1.2"), &v4));
	assert_false(peer_parse(STR("example.com"), &v4));
	assert_false(peer_parse(STR(""), &v4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_timer_fires_once_and_not_early),
			cmocka_unit_test(test_a_timer_can_move_both_ways_and_far),
			cmocka_unit_test(test_blocks_hold_their_addresses),
			cmocka_unit_test(test_literal_addresses_need_no_look_up),
			cmocka_unit_test(test_the_cache_forgets_older_generations),
			cmocka_unit_test(test_a_sweep_begins_anew_with_every_generation),
			cmocka_unit_test(test_the_cache_stays_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
