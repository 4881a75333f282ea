/* SPDX-License-Identifier: Apache-2.0
 *
 * What servers send to the clients that plugins have: the first byte chooses resty.http,
 * resty.redis or resty.dns.resolver, the second in how large pieces the rest comes.  A result, or
 * nil and a text; what was read whole is no longer than what came.
 */
#include <errno.h>
#include <stdlib.h>

#include <lua.h>

#include "base/check.h"
#include "plugin/cosocket.h"
#include "plugin/engine.h"
#include "plugin/ngx_socket.h"
#include "plugin/pdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define QUESTION_MAX 512

/* The one socket at a time that has the input. */
struct cosocket {
	bool is_datagram, is_open;
};
static struct str left;
static size_t piece;
static char question[QUESTION_MAX];
static size_t question_n;

static int op_open(struct exchange *x, struct str plugin, bool is_datagram, struct cosocket **ret)
{
	(void)x, (void)plugin;
	*ret = calloc(1, sizeof(**ret));
	sl_assert(*ret != NULL);
	(*ret)->is_datagram = is_datagram;
	return 0;
}

static void op_close(struct cosocket *s)
{
	free(s);
}

static void op_disconnect(struct cosocket *s)
{
	s->is_open = false;
}

static int op_connect(struct cosocket *s, struct str host, uint16_t port, struct str pool)
{
	(void)host, (void)port, (void)pool;
	s->is_open = true;
	return 0;
}

static int op_connected(struct cosocket *s)
{
	(void)s;
	return 0;
}

static int op_resolve(struct cosocket *s, struct str host, struct str *ret)
{
	(void)s, (void)host;
	*ret = STR("127.0.0.1");
	return 0;
}

static int op_handshake(struct cosocket *s, struct str name, bool is_verified)
{
	(void)s, (void)name, (void)is_verified;
	return 0;
}

/* A datagram has the id and the question of what was sent, and then the input. */
static ssize_t datagram(char *p, size_t n)
{
	size_t head = question_n < n ? question_n : n, rest = left.n < n - head ? left.n : n - head;

	if (left.n == 0)
		return -ECONNREFUSED;
	memcpy(p, question, head);
	memcpy(p + head, left.p, rest);
	for (size_t i = 2; i < 12 && i < head && i < left.n; i++)
		if (i != 4 && i != 5)
			p[i] = left.p[i];
	left = str_from(left, left.n);
	return (ssize_t)(head + rest);
}

static ssize_t op_receive(struct cosocket *s, void *p, size_t n)
{
	if (s->is_datagram)
		return datagram(p, n);
	n = n < piece ? n : piece;
	n = n < left.n ? n : left.n;
	if (n != 0)
		memcpy(p, left.p, n);
	left = str_from(left, n);
	return (ssize_t)n;
}

static ssize_t op_send(struct cosocket *s, struct str text)
{
	(void)s;
	question_n = text.n < sizeof(question) ? text.n : sizeof(question);
	memcpy(question, text.p, question_n);
	return (ssize_t)text.n;
}

static int op_keep(struct cosocket *s, struct str pool, uint32_t idle_ms, uint32_t size)
{
	(void)pool, (void)idle_ms, (void)size;
	s->is_open = false;
	return 0;
}

static bool op_is_open(const struct cosocket *s)
{
	return s->is_open;
}

static bool op_is_datagram(const struct cosocket *s)
{
	return s->is_datagram;
}

static uint32_t op_reused(const struct cosocket *s)
{
	(void)s;
	return 0;
}

static const char *op_why(const struct cosocket *s)
{
	(void)s;
	return "";
}

static const struct cosocket_ops net = {
		.open = op_open,
		.close = op_close,
		.disconnect = op_disconnect,
		.connect = op_connect,
		.connected = op_connected,
		.resolve = op_resolve,
		.handshake = op_handshake,
		.receive = op_receive,
		.send = op_send,
		.keep = op_keep,
		.is_open = op_is_open,
		.is_datagram = op_is_datagram,
		.reused = op_reused,
		.why = op_why,
};

static const char program[] =
		"local which, n = ...\n"
		"local value, err\n"
		"if which == 0 then\n"
		"  local c = require('resty.http').new()\n"
		"  value, err = c:request_uri('http://a.test/')\n"
		"  assert(not value or #value.body <= n)\n"
		"elseif which == 1 then\n"
		"  local c = require('resty.http').new() c:connect('a.test', 80)\n"
		"  local r = c:request_pipeline{ { path = '/' }, { path = '/', method = 'HEAD' } "
		"}\n"
		"  value = r[1].status and r[1]:read_body() or true\n"
		"  assert(value == true or #value <= n)\n"
		"  local _ = r[2].status\n"
		"elseif which == 2 then\n"
		"  local c = require('resty.redis'):new() c:connect('a.test')\n"
		"  value, err = c:get('x')\n"
		"  value = value or value == false\n"
		"else\n"
		"  local r = require('resty.dns.resolver'):new{ nameservers = { 'a.test' }, "
		"retrans = 1 }\n"
		"  value, err = r:query('a.test', { authority_section = true, additional_section = "
		"true })\n"
		"  for _, one in ipairs(value or {}) do\n"
		"    assert(type(one.name) == 'string' and one.ttl >= 0 and one.type <= 65535)\n"
		"  end\n"
		"end\n"
		"assert(value or type(err) == 'string')\n";

static const struct engine_conf conf = {.node_id = "n", .hostname = "h"};

static void run(struct vm *vm, unsigned which, size_t n)
{
	struct vm_run *r = vm_run_new(vm);
	struct why why = WHY_NONE;
	enum vm_status status;

	sl_assert(r != NULL);
	lua_xmove(vm_main(vm), vm_run_state(r), 1);
	lua_pushnumber(vm_run_state(r), which);
	lua_pushnumber(vm_run_state(r), (lua_Number)n);
	status = vm_start(r, 2, &why);
	/* nothing waits here, and no error is raised by what servers say */
	sl_assert(status == VM_OK);
	vm_run_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool is_ready;
	static const struct exchange_ops ops = {.net = &net};
	struct vm_limits limits = {.cpu_ms = 1000, .memory_mb = 64};
	struct pdk_slot slot = {.ctx_ref = LUA_NOREF};
	struct pdk_host host = {.conf = &conf, .plugin_name = "t", .slot = &slot, .level = VM_LAX};
	sl_auto(arena) a = NULL;
	struct why why = WHY_NONE;
	struct exchange x;
	struct vm *vm = NULL;

	if (n < 2)
		return 0;
	if (!is_ready)
		sl_assert(vm_process_init(&why) == 0);
	is_ready = true;
	left = (struct str){(const char *)data + 2, n - 2};
	piece = data[1] % 64 + 1U;
	sl_assert(arena_new(&a, 0) == 0);
	exchange_init(&x, a, &ops, NULL);
	sl_assert(exchange_set_target(&x, STR("/")) == 0);
	x.phase = PHASE_ACCESS;
	x.request.method = STR("GET");
	host.exchange = &x;
	host.phase = PHASE_ACCESS;
	sl_assert(vm_new(&vm, "t", VM_LAX, &limits, ngx_open, &host) == 0);
	sl_assert(vm_load(vm, str_of(program), "fuzz", false, &why) == 0);
	run(vm, data[0] % 4, n);
	ngx_sockets_close(slot.sockets);
	vm_free(vm);
	return 0;
}
