/* SPDX-License-Identifier: Apache-2.0
 *
 * Options, regex, replacement and subject, a line each, through ngx.re in a VM of its own:
 * a result, or an error with a text; never past the budget by more than a discard.
 */
#include <lua.h>

#include "base/check.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char program[] =
		"local options, regex, replacement, subject = ...\n"
		"for _, f in ipairs { ngx.re.sub, ngx.re.gsub } do\n"
		"  pcall(f, subject, regex, replacement, options)\n"
		"end\n"
		"local ok, next = pcall(ngx.re.gmatch, subject, regex, options)\n"
		"while ok and next and next() do end\n"
		"pcall(ngx.re.match, subject, regex, options)\n"
		"local ok, from, to, err = pcall(ngx.re.find, subject, regex, options)\n"
		"if ok and from then assert(from >= 1 and to <= #subject and to >= from - 1) end\n";

static void push_line(lua_State *L, struct str *rest)
{
	ptrdiff_t end = str_find_char(*rest, '\n');
	struct str line = end < 0 ? *rest : str_head(*rest, (size_t)end);

	lua_pushlstring(L, line.p, line.n);
	*rest = end < 0 ? str_from(*rest, rest->n) : str_from(*rest, (size_t)end + 1);
}

static void run(struct vm *vm, struct str input)
{
	struct vm_run *r = vm_run_new(vm);
	struct why why = WHY_NONE;
	enum vm_status status;
	lua_State *L;

	sl_assert(r != NULL);
	L = vm_run_state(r);
	lua_xmove(vm_main(vm), L, 1);
	for (int i = 0; i < 4; i++)
		push_line(L, &input);
	status = vm_start(r, 4, &why);
	sl_assert(status == VM_OK || status == VM_CPU || status == VM_MEMORY ||
			status == VM_DISCARDED);
	vm_run_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct engine_conf conf = {.node_id = "n", .hostname = "h"};
	static bool is_ready;
	struct vm_limits limits = {.cpu_ms = 1000, .memory_mb = 64};
	struct pdk_slot slot = {.ctx_ref = LUA_NOREF};
	struct pdk_host host = {.conf = &conf, .plugin_name = "t", .slot = &slot};
	struct why why = WHY_NONE;
	struct vm *vm = NULL;

	if (!is_ready)
		sl_assert(vm_process_init(&why) == 0);
	is_ready = true;
	sl_assert(vm_new(&vm, "t", VM_STRICT, &limits, ngx_open, &host) == 0);
	sl_assert(vm_load(vm, STR(program), "fuzz.lua", false, &why) == 0);
	run(vm, (struct str){(const char *)data, n});
	vm_free(vm);
	while (vm_reap())
		continue;
	return 0;
}
