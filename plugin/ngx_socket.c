/* SPDX-License-Identifier: Apache-2.0
 * ngx.socket.*: what its Lua (module_lua/_socket.lua) is given.  Only numbers reach Lua. */
#include "plugin/ngx_socket.h"

#include <errno.h>
#include <string.h>

#include "plugin/cosocket.h"
#include "plugin/module_part.h"

#define SOCKETS_MAX 64 /* of one plugin in one request */
#define RECEIVE_MAX 65536

enum { BUSY_CONNECTING = 1, BUSY_READING = 2, BUSY_WRITING = 4 };

struct socket_row {
	struct cosocket *s; /* NULL: free */
	const struct cosocket_ops *net;
	uint32_t id, busy;
};

struct pdk_sockets {
	uint32_t last_id;
	struct socket_row v[SOCKETS_MAX];
};

/* Filled by an is_done() that says true, taken by the finish() that follows at once. */
static struct {
	ssize_t n;
	struct str address; /* of net_resolve() */
	char bytes[RECEIVE_MAX];
} came;

void ngx_sockets_close(struct pdk_sockets *all)
{
	for (unsigned i = 0; all != NULL && i < SOCKETS_MAX; i++)
		if (all->v[i].s != NULL)
			all->v[i].net->close(all->v[i].s);
}

/* net_check(): why a plugin must not wait here, or nothing. */
static int net_check(lua_State *L)
{
	if (pdk_may_wait(L))
		return 0;
	lua_pushfstring(L, "API disabled in the context of %s",
			ngx_socket_context(pdk_host(L)->phase));
	return 1;
}

static struct socket_row *check_row(lua_State *L)
{
	const struct pdk_slot *slot = pdk_host(L)->slot;
	uint32_t id = (uint32_t)luaL_checkinteger(L, 1);

	if (!pdk_may_wait(L))
		luaL_error(L, "API disabled in the context of %s",
				ngx_socket_context(pdk_host(L)->phase));
	for (unsigned i = 0; slot != NULL && slot->sockets != NULL && i < SOCKETS_MAX; i++)
		if (slot->sockets->v[i].s != NULL && slot->sockets->v[i].id == id)
			return &slot->sockets->v[i];
	luaL_error(L, "bad request");
	return NULL;
}

static int push_failure(lua_State *L, const struct socket_row *row, int r)
{
	const char *why = row->net->why(row->s);

	lua_pushnil(L);
	if (r == 0)
		lua_pushliteral(L, "closed");
	else if (r == -EMFILE)
		lua_pushliteral(L, "too many open sockets");
	else if ((r == -EACCES || r == -ENOENT || r == -ECONNABORTED) && why[0] != '\0')
		lua_pushstring(L, why);
	else
		ngx_socket_push_errno(L, -r);
	if (r == -EACCES)
		ngx_socket_note_denied(L, why);
	return 2;
}

static int push_timeout(lua_State *L)
{
	lua_pushnil(L);
	lua_pushliteral(L, "timeout");
	return 2;
}

static void drop_wait(struct pdk_pending *pending)
{
	struct socket_row *row = pending->object;

	row->busy &= ~(uint32_t)pending->number[1];
}

static int wait_for(lua_State *L, struct socket_row *row, uint32_t busy, double ms,
		struct pdk_pending pending)
{
	row->busy |= busy;
	pending.object = row;
	pending.number[1] = busy;
	pending.drop = drop_wait;
	pending.deadline_ns = pdk_deadline_ns(ms / 1000);
	return pdk_wait(L, &pending);
}

/* Who is at it already, in words; NULL: nobody. */
static const char *busy_text(const struct socket_row *row, uint32_t with)
{
	if ((row->busy & with & BUSY_CONNECTING) != 0)
		return "socket busy connecting";
	if ((row->busy & with & BUSY_READING) != 0)
		return "socket busy reading";
	return (row->busy & with & BUSY_WRITING) != 0 ? "socket busy writing" : NULL;
}

static int push_busy(lua_State *L, const char *text)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	return 2;
}

static double check_ms(lua_State *L, int arg)
{
	double ms = luaL_checknumber(L, arg);

	return ms > 0 && ms < 86400e3 ? ms : 86400e3;
}

static struct pdk_sockets *sockets_of(lua_State *L)
{
	struct pdk_slot *slot = pdk_host(L)->slot;

	if (slot->sockets == NULL) {
		vm_host_enter(L);
		slot->sockets = arena_calloc(pdk_exchange(L)->arena, sizeof(*slot->sockets));
		vm_host_leave(L);
	}
	return slot->sockets;
}

/* net_open(is datagram): its number, or nil and why. */
static int net_open(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	const struct cosocket_ops *net = x->ops->net;
	struct pdk_sockets *all;
	struct cosocket *s = NULL;
	unsigned i = 0;
	int r;

	if (net == NULL)
		return pdk_fail(L, "there is no network in this run");
	all = sockets_of(L);
	while (all != NULL && i < SOCKETS_MAX && all->v[i].s != NULL)
		i++;
	if (all == NULL || i == SOCKETS_MAX)
		return pdk_fail(L, "too many open sockets");
	vm_host_enter(L);
	r = net->open(x, str_of(pdk_host(L)->plugin_name), lua_toboolean(L, 1), &s);
	if (r == 0)
		all->v[i] = (struct socket_row){.s = s, .net = net, .id = ++all->last_id};
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "too many open sockets");
	lua_pushinteger(L, all->v[i].id);
	return 1;
}

static int net_close(lua_State *L)
{
	struct socket_row *row = check_row(L);

	if (row->busy != 0)
		return push_busy(L, busy_text(row, row->busy));
	vm_host_enter(L);
	row->net->close(row->s);
	row->s = NULL;
	vm_host_leave(L);
	return 0;
}

static bool connect_is_done(struct exchange *x, struct pdk_pending *pending)
{
	const struct socket_row *row = pending->object;

	(void)x;
	came.n = row->net->connected(row->s);
	return came.n != -EAGAIN;
}

static int push_connected(lua_State *L, struct socket_row *row, int r)
{
	if (r != 0)
		return push_failure(L, row, r);
	lua_pushinteger(L, 1);
	return 1;
}

static int finish_connect(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	struct socket_row *row = pending->object;

	(void)x;
	row->busy &= ~(uint32_t)BUSY_CONNECTING;
	if (!pending->is_timed_out)
		return push_connected(L, row, (int)came.n);
	row->net->disconnect(row->s);
	return push_timeout(L);
}

/* net_connect(id, host, port, ms, pool) */
static int net_connect(lua_State *L)
{
	struct socket_row *row = check_row(L);
	struct str host = ngx_check_text(L, 2, false), pool = ngx_check_text(L, 5, false);
	uint16_t port = (uint16_t)luaL_checkinteger(L, 3);
	double ms = check_ms(L, 4);
	int r;

	if (row->busy != 0)
		return push_busy(L, busy_text(row, row->busy));
	vm_host_enter(L);
	r = row->net->connect(row->s, host, port, pool);
	vm_host_leave(L);
	if (r != -EAGAIN)
		return push_connected(L, row, r);
	return wait_for(L, row, BUSY_CONNECTING, ms,
			(struct pdk_pending){.finish = finish_connect, .is_done = connect_is_done});
}

static int push_resolved(lua_State *L, struct socket_row *row, int r, struct str address)
{
	if (r != 0)
		return push_failure(L, row, r);
	lua_pushlstring(L, address.p, address.n);
	return 1;
}

static bool resolve_is_done(struct exchange *x, struct pdk_pending *pending)
{
	const struct socket_row *row = pending->object;

	(void)x;
	came.n = row->net->resolve(row->s, pending->text, &came.address);
	return came.n != -EAGAIN;
}

static int finish_resolve(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	struct socket_row *row = pending->object;

	(void)x;
	row->busy &= ~(uint32_t)BUSY_CONNECTING;
	if (!pending->is_timed_out)
		return push_resolved(L, row, (int)came.n, came.address);
	row->net->disconnect(row->s);
	return push_timeout(L);
}

/* net_resolve(id, host, ms): an address as text. */
static int net_resolve(lua_State *L)
{
	struct socket_row *row = check_row(L);
	struct str host = ngx_check_text(L, 2, false);
	double ms = check_ms(L, 3);
	int r;

	if (row->busy != 0)
		return push_busy(L, busy_text(row, row->busy));
	host = pdk_keep(L, host);
	vm_host_enter(L);
	r = row->net->resolve(row->s, host, &came.address);
	vm_host_leave(L);
	if (r != -EAGAIN)
		return push_resolved(L, row, r, came.address);
	return wait_for(L, row, BUSY_CONNECTING, ms,
			(struct pdk_pending){.finish = finish_resolve,
					.is_done = resolve_is_done,
					.text = host});
}

static bool handshake_is_done(struct exchange *x, struct pdk_pending *pending)
{
	const struct socket_row *row = pending->object;

	(void)x;
	came.n = row->net->handshake(row->s, pending->text, pending->number[0] != 0);
	return came.n != -EAGAIN;
}

/* net_handshake(id, name, is verified, ms): the name stays on the caller's stack. */
static int net_handshake(lua_State *L)
{
	struct socket_row *row = check_row(L);
	struct str name = ngx_check_text(L, 2, false);
	bool is_verified = lua_toboolean(L, 3);
	double ms = check_ms(L, 4);
	int r;

	if (row->busy != 0)
		return push_busy(L, busy_text(row, row->busy));
	if (!row->net->is_open(row->s))
		return pdk_fail(L, "closed");
	name = pdk_keep(L, name);
	vm_host_enter(L);
	r = row->net->handshake(row->s, name, is_verified);
	vm_host_leave(L);
	if (r != -EAGAIN)
		return push_connected(L, row, r);
	return wait_for(L, row, BUSY_CONNECTING, ms,
			(struct pdk_pending){.finish = finish_connect,
					.is_done = handshake_is_done,
					.text = name,
					.number = {is_verified}});
}

/* An error that is no timeout ends the connection. */
static int push_received(lua_State *L, struct socket_row *row, ssize_t n, bool is_stream)
{
	if (n > 0 || (n == 0 && !is_stream)) {
		lua_pushlstring(L, came.bytes, (size_t)n);
		return 1;
	}
	if (is_stream)
		row->net->disconnect(row->s);
	return push_failure(L, row, (int)n);
}

static bool receive_is_done(struct exchange *x, struct pdk_pending *pending)
{
	const struct socket_row *row = pending->object;

	(void)x;
	came.n = row->net->receive(row->s, came.bytes, (size_t)pending->number[0]);
	return came.n != -EAGAIN;
}

static int finish_receive(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	struct socket_row *row = pending->object;

	(void)x;
	row->busy &= ~(uint32_t)BUSY_READING;
	if (pending->is_timed_out)
		return push_timeout(L);
	return push_received(L, row, came.n, !row->net->is_datagram(row->s));
}

/* net_receive(id, max, ms): a string; nil and why. */
static int net_receive(lua_State *L)
{
	struct socket_row *row = check_row(L);
	lua_Integer max = luaL_checkinteger(L, 2);
	const char *busy = busy_text(row, BUSY_CONNECTING | BUSY_READING);
	double ms = check_ms(L, 3);

	if (busy != NULL)
		return push_busy(L, busy);
	if (!row->net->is_open(row->s))
		return pdk_fail(L, "closed");
	if (max <= 0 || max > RECEIVE_MAX)
		max = RECEIVE_MAX;
	vm_host_enter(L);
	came.n = row->net->receive(row->s, came.bytes, (size_t)max);
	vm_host_leave(L);
	if (came.n != -EAGAIN)
		return push_received(L, row, came.n, !row->net->is_datagram(row->s));
	return wait_for(L, row, BUSY_READING, ms,
			(struct pdk_pending){.finish = finish_receive,
					.is_done = receive_is_done,
					.number = {(double)max}});
}

static int push_sent(lua_State *L, struct socket_row *row, ssize_t n)
{
	if (n >= 0) {
		lua_pushinteger(L, (lua_Integer)n);
		return 1;
	}
	row->net->disconnect(row->s);
	return push_failure(L, row, n == -EPIPE ? 0 : (int)n);
}

static bool send_is_done(struct exchange *x, struct pdk_pending *pending)
{
	const struct socket_row *row = pending->object;

	(void)x;
	came.n = row->net->send(row->s, pending->text);
	return came.n != -EAGAIN;
}

static int finish_send(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	struct socket_row *row = pending->object;

	(void)x;
	row->busy &= ~(uint32_t)BUSY_WRITING;
	return pending->is_timed_out ? push_timeout(L) : push_sent(L, row, came.n);
}

/* net_send(id, text, from, ms): how many bytes went.  The caller holds text while it waits. */
static int net_send(lua_State *L)
{
	struct socket_row *row = check_row(L);
	struct str text = ngx_check_text(L, 2, false);
	lua_Integer from = luaL_checkinteger(L, 3);
	const char *busy = busy_text(row, BUSY_CONNECTING | BUSY_WRITING);
	double ms = check_ms(L, 4);
	ssize_t n;

	if (busy != NULL)
		return push_busy(L, busy);
	if (!row->net->is_open(row->s))
		return pdk_fail(L, "closed");
	if (from < 1 || (size_t)from > text.n + 1)
		luaL_argerror(L, 3, "out of range");
	text = str_from(text, (size_t)from - 1);
	vm_host_enter(L);
	n = row->net->send(row->s, text);
	vm_host_leave(L);
	if (n != -EAGAIN)
		return push_sent(L, row, n);
	return wait_for(L, row, BUSY_WRITING, ms,
			(struct pdk_pending){.finish = finish_send,
					.is_done = send_is_done,
					.text = text});
}

/* net_keep(id, pool, idle ms, size) */
static int net_keep(lua_State *L)
{
	struct socket_row *row = check_row(L);
	struct str pool = ngx_check_text(L, 2, false);
	double idle_ms = luaL_checknumber(L, 3), size = luaL_checknumber(L, 4);
	int r;

	if (row->busy != 0 || !row->net->is_open(row->s))
		return pdk_fail(L, "closed");
	vm_host_enter(L);
	r = row->net->keep(row->s, pool, idle_ms < 86400e3 ? (uint32_t)idle_ms : 86400000U,
			size < 4096 ? (uint32_t)size : 4096U);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, r == -EPIPE ? "closed" : "out of memory");
	lua_pushinteger(L, 1);
	return 1;
}

static int net_is_open(lua_State *L)
{
	const struct socket_row *row = check_row(L);

	lua_pushboolean(L, row->net->is_open(row->s));
	return 1;
}

/* net_busy(id): what a light thread is doing with it, or nil. */
static int net_busy(lua_State *L)
{
	const struct socket_row *row = check_row(L);

	lua_pushstring(L, busy_text(row, row->busy));
	return 1;
}

static int net_reused(lua_State *L)
{
	const struct socket_row *row = check_row(L);

	lua_pushinteger(L, row->net->reused(row->s));
	return 1;
}

const luaL_Reg module_socket_functions[] = {
		{"net_check", net_check},
		{"net_open", net_open},
		{"net_close", net_close},
		{"net_connect", net_connect},
		{"net_handshake", net_handshake},
		{"net_resolve", net_resolve},
		{"net_receive", net_receive},
		{"net_send", net_send},
		{"net_keep", net_keep},
		{"net_is_open", net_is_open},
		{"net_busy", net_busy},
		{"net_reused", net_reused},
		{NULL, NULL},
};
