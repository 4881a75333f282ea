/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules whose reading of foreign bytes is in Lua, or behind it: the first byte chooses JWK, gzip,
 * JWT, multipart, PKCS#12.  A result or an error with a text; what is read can be written.
 */
#include <lua.h>

#include "base/check.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char program[] =
		"local text = ...\n"
		"local which, rest = text:byte() % 5, text:sub(2)\n"
		"if which == 0 then\n"
		"  local key = require('resty.openssl.pkey').new(rest, { format = 'JWK' })\n"
		"  local again = key and key:tostring(key:is_private() and 'private' or 'public', "
		"'JWK')\n"
		"  assert(not again or require('resty.openssl.pkey').new(again, { format = 'JWK' "
		"}))\n"
		"elseif which == 1 then\n"
		"  local g = require('kong.tools.gzip')\n"
		"  local plain, why = g.inflate_gzip(rest)\n"
		"  assert(plain or type(why) == 'string')\n"
		"  assert(not plain or #plain <= 4194304)\n"
		"elseif which == 2 then\n"
		"  local j = require('resty.jwt')\n"
		"  local t = j:verify('secret', rest)\n"
		"  assert(type(t) == 'table')\n"
		"elseif which == 3 then\n"
		"  local boundary, body = rest:match('^([^\\n]*)\\n(.*)$')\n"
		"  if not body then return end\n"
		"  ngx.req.set_header('Content-Type', 'multipart/form-data; boundary=' .. "
		"boundary)\n"
		"  ngx.req.read_body() ngx.req.set_body_data(body)\n"
		"  local form = require('resty.upload'):new(7)\n"
		"  for _ = 1, 3 * #body + 9 do\n"
		"    local kind = form and form:read()\n"
		"    if not kind or kind == 'eof' then return end\n"
		"  end\n"
		"  error('no end')\n"
		"else\n"
		"  local r = require('resty.openssl.pkcs12').decode(rest, 'secret')\n"
		"  assert(not r or r.cacerts)\n"
		"end\n";

static const struct engine_conf conf = {.node_id = "n", .hostname = "h"};

static void run(struct vm *vm, struct str input)
{
	struct vm_run *r = vm_run_new(vm);
	struct why why = WHY_NONE;
	enum vm_status status;

	sl_assert(r != NULL);
	lua_xmove(vm_main(vm), vm_run_state(r), 1);
	lua_pushlstring(vm_run_state(r), input.p, input.n);
	status = vm_start(r, 1, &why);
	if (status == VM_ERROR)
		sl_assert(str_find(str_of(why.text), STR("assertion")) < 0 &&
				str_find(str_of(why.text), STR("no end")) < 0);
	vm_run_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool is_ready;
	static const struct exchange_ops ops = {0};
	struct vm_limits limits = {.cpu_ms = 1000, .memory_mb = 64};
	struct pdk_slot slot = {.ctx_ref = LUA_NOREF};
	struct pdk_host host = {.conf = &conf, .plugin_name = "t", .slot = &slot};
	sl_auto(arena) a = NULL;
	struct why why = WHY_NONE;
	struct exchange x;
	struct vm *vm = NULL;

	if (n == 0)
		return 0;
	if (!is_ready)
		sl_assert(vm_process_init(&why) == 0);
	is_ready = true;
	sl_assert(arena_new(&a, 0) == 0);
	exchange_init(&x, a, &ops, NULL);
	sl_assert(exchange_set_target(&x, STR("/")) == 0);
	x.phase = PHASE_ACCESS;
	x.request.method = STR("POST");
	host.exchange = &x;
	host.phase = PHASE_ACCESS;
	sl_assert(vm_new(&vm, "t", VM_STRICT, &limits, ngx_open, &host) == 0);
	sl_assert(vm_load(vm, str_of(program), "fuzz", false, &why) == 0);
	run(vm, (struct str){(const char *)data, n});
	vm_free(vm);
	return 0;
}
