/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/module_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"

bool module_rows_lax;

static const struct exchange_ops ops = {0};
static const struct engine_conf conf = {.node_id = "n", .hostname = "h", .workers_total = 1};

static void fill(struct exchange *x, struct arena *a)
{
	exchange_init(x, a, &ops, NULL);
	assert_int_equal(exchange_set_target(x, STR("/a?x=1")), 0);
	x->phase = PHASE_ACCESS;
	x->request.method = STR("GET");
	x->request.start_real_ns = 1500000000123000000U;
	x->request.start_mono_ns = clock_mono_ns();
	headers_add(&x->request.headers, STR("Cookie"), STR("a=1; Session=\"s 1\"; a=2"));
	headers_add(&x->request.headers, STR("X-Many"), STR("one"));
}

static void check(const struct module_row *row, enum vm_status status, lua_State *L,
		const struct why *why)
{
	const char *got = status == VM_OK ? lua_tostring(L, 1) : why->text;

	if (got == NULL)
		got = "(nothing)";
	if (status == VM_OK ? strcmp(got, row->want) != 0 : strstr(got, row->want) == NULL)
		fail_msg("%s: %s (wanted %s): %s", vm_status_name(status), got, row->want,
				row->code);
}

static void run(const struct module_row *row, unsigned cpu_ms)
{
	struct pdk_slot slot = {.ctx_ref = LUA_NOREF};
	enum vm_level level = module_rows_lax ? VM_LAX : VM_STRICT;
	struct pdk_host host = {.conf = &conf, .level = level, .plugin_name = "t", .slot = &slot};
	struct vm_limits limits = {.cpu_ms = cpu_ms, .memory_mb = 64};
	sl_auto(arena) a = NULL;
	struct why why = WHY_NONE;
	struct exchange x;
	struct vm *vm = NULL;
	struct vm_run *r;
	enum vm_status status;

	assert_int_equal(arena_new(&a, 0), 0);
	fill(&x, a);
	host.exchange = &x;
	host.phase = PHASE_ACCESS;
	assert_int_equal(vm_new(&vm, "t", level, &limits, ngx_open, &host), 0);
	if (vm_load(vm, str_of(row->code), "test.lua", false, &why) != 0)
		fail_msg("%s: %s", row->code, why.text);
	r = vm_run_new(vm);
	lua_xmove(vm_main(vm), vm_run_state(r), 1);
	status = vm_start(r, 0, &why);
	check(row, status, vm_run_state(r), &why);
	vm_run_free(r);
	vm_free(vm);
}

void module_rows_run(const struct module_row *rows, size_t n, unsigned cpu_ms)
{
	for (size_t i = 0; i < n; i++)
		run(&rows[i], cpu_ms);
}

int module_rows_start(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	return vm_process_init(&why);
}
