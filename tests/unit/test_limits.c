/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin/limits.h"
#include "shm/conf.h"
#include "shm/record.pb-c.h"

static const struct limits_policy node = {
		.by_default = {.cpu_ms = 10,
				.wall_ms = 1000,
				.memory_mb = 64,
				.log_lines = 0,
				.output_kb = 100},
		.max = {.cpu_ms = 50, .wall_ms = 500, .memory_mb = 128, .log_lines = 200},
};

static Sluice__Record__Limits asks(uint32_t cpu_ms, uint32_t memory_mb)
{
	Sluice__Record__Limits l = SLUICE__RECORD__LIMITS__INIT;

	l.cpu_ms = cpu_ms;
	l.memory_mb = memory_mb;
	return l;
}

static void without_own_limits_the_nodes_hold(void **state)
{
	const Sluice__Record__Limits nothing = asks(0, 0);
	struct vm_limits l;

	(void)state;
	assert_int_equal(limits_resolve(&node, NULL, NULL, &l), 0);
	assert_memory_equal(&l, &node.by_default, sizeof(l));
	assert_int_equal(limits_resolve(&node, &nothing, &nothing, &l), 0);
	assert_memory_equal(&l, &node.by_default, sizeof(l));
}

static void the_instance_goes_over_the_code_and_the_code_over_the_node(void **state)
{
	const Sluice__Record__Limits code = asks(20, 32), instance = asks(5, 0);
	struct vm_limits l;

	(void)state;
	assert_int_equal(limits_resolve(&node, &code, NULL, &l), 0);
	assert_int_equal(l.cpu_ms, 20);
	assert_int_equal(l.memory_mb, 32);
	assert_int_equal(l.output_kb, 100);
	assert_int_equal(limits_resolve(&node, &code, &instance, &l), 0);
	assert_int_equal(l.cpu_ms, 5);
	assert_int_equal(l.memory_mb, 32);
}

static void memory_of_an_instance_is_not_looked_at(void **state)
{
	const Sluice__Record__Limits instance = asks(0, 4);
	struct vm_limits l;

	(void)state;
	assert_int_equal(limits_resolve(&node, NULL, &instance, &l), 0);
	assert_int_equal(l.memory_mb, 64);
}

static void above_the_cap_is_the_cap_and_told(void **state)
{
	const Sluice__Record__Limits code = asks(51, 129), at = asks(50, 128);
	struct vm_limits l;

	(void)state;
	assert_int_equal(limits_resolve(&node, &at, NULL, &l), 0);
	assert_int_equal(limits_resolve(&node, &code, NULL, &l),
			LIMIT_BIT(LIMIT_cpu_ms) | LIMIT_BIT(LIMIT_memory_mb));
	assert_int_equal(l.cpu_ms, 50);
	assert_int_equal(l.memory_mb, 128);
	assert_string_equal(limit_name(LIMIT_memory_mb), "memory_mb");
}

static void a_default_above_its_cap_is_the_cap(void **state)
{
	Sluice__Record__Limits code = asks(0, 0);
	struct vm_limits l;

	(void)state;
	code.wall_ms = 999;
	assert_int_equal(limits_resolve(&node, &code, NULL, &l), 0);
	assert_int_equal(l.wall_ms, 999);
	code.wall_ms = 1001;
	assert_int_equal(limits_resolve(&node, &code, NULL, &l), LIMIT_BIT(LIMIT_wall_ms));
	assert_int_equal(l.wall_ms, 1000);
}

static void where_the_node_sets_no_limit_or_no_cap_anything_goes(void **state)
{
	Sluice__Record__Limits code = asks(0, 0);
	struct vm_limits l;

	(void)state;
	code.log_lines = UINT32_MAX; /* no limit by default */
	code.output_kb = UINT32_MAX; /* no cap */
	assert_int_equal(limits_resolve(&node, &code, NULL, &l), 0);
	assert_int_equal(l.log_lines, UINT32_MAX);
	assert_int_equal(l.output_kb, UINT32_MAX);
}

static void a_nodes_policy_is_what_its_configuration_says(void **state)
{
	struct why why = WHY_NONE;
	struct conf *conf = NULL;
	struct limits_policy p;

	(void)state;
	assert_int_equal(conf_load(&conf, NULL, &why), 0);
	limits_policy_of(conf, &p);
	assert_int_equal(p.by_default.cpu_ms, conf->plugin_limits_cpu_ms);
	assert_int_equal(p.by_default.output_kb, conf->plugin_limits_output_kb);
	assert_int_equal(p.max.wall_ms, conf->plugin_limits_wall_ms_max);
	for (enum limit i = 0; i < LIMIT_COUNT; i++)
		assert_true(limit_get(&p.max, i) >= limit_get(&p.by_default, i));
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(without_own_limits_the_nodes_hold),
			cmocka_unit_test(
					the_instance_goes_over_the_code_and_the_code_over_the_node),
			cmocka_unit_test(memory_of_an_instance_is_not_looked_at),
			cmocka_unit_test(above_the_cap_is_the_cap_and_told),
			cmocka_unit_test(a_default_above_its_cap_is_the_cap),
			cmocka_unit_test(where_the_node_sets_no_limit_or_no_cap_anything_goes),
			cmocka_unit_test(a_nodes_policy_is_what_its_configuration_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
