/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

static const struct {
	uint32_t bit;
	const char *name;
} phase_rows[] = {
#define X(id, bit, name) {(bit), (name)},
		PDK_PHASE_TABLE(X)
#undef X
};

void pdk_phases_text(uint32_t phases, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < PDK_COUNT(phase_rows); i++)
		if ((phases & phase_rows[i].bit) != 0 && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n != 0 ? ", " : "",
					phase_rows[i].name);
}

static int raise_phase(lua_State *L, const struct pdk_host *host, uint32_t phases)
{
	char names[256];

	pdk_phases_text(phases, names, sizeof(names));
	if (host->exchange == NULL)
		return luaL_error(L, "no phase in ngx.ctx.KONG_PHASE, (need one of %s)", names);
	return luaL_error(L, "function cannot be called in %s phase (only in: %s)",
			phase_name(host->phase), names);
}

static bool phase_fits(const struct pdk_host *host, uint32_t phases)
{
	return phases == PDK_ANY ||
	       (host->exchange != NULL && (phases & PHASE_BIT(host->phase)) != 0);
}

void pdk_check_phase(lua_State *L, uint32_t phases)
{
	const struct pdk_host *host = pdk_host(L);

	if (!phase_fits(host, phases))
		raise_phase(L, host, phases);
}

static int dispatch(lua_State *L)
{
	const struct pdk_function *row = lua_touserdata(L, lua_upvalueindex(1));
	const struct pdk_host *host = pdk_host(L);

	if (!phase_fits(host, row->phases))
		return raise_phase(L, host, row->phases);
	return row->call(L);
}

static void push_child(lua_State *L, const char *name, size_t n)
{
	lua_pushlstring(L, name, n);
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	if (lua_istable(L, -1)) {
		lua_replace(L, -3);
		lua_pop(L, 1);
		return;
	}
	lua_pop(L, 1);
	lua_createtable(L, 0, 0); /* most functions are made later */
	lua_pushvalue(L, -1);
	lua_insert(L, -4);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void pdk_push_table(lua_State *L, int env_index, const char *path)
{
	lua_pushvalue(L, env_index);
	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		push_child(L, path, n);
		path += n + (path[n] == '.');
	}
}

/* The table at the top of L becomes callable. */
static void make_callable(lua_State *L)
{
	lua_createtable(L, 0, 2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__call");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

/* ---- functions made when they are first asked for ----
 *
 * Most of what there is a plugin never calls, and each function would be a closure, a string and
 * a slot in every VM.  So a table has a metatable that makes them; pairs() has it make all. */

#define MAKERS_MAX 128

/* What was registered at which path; the same for every VM of the process. */
static struct maker {
	const char *path;
	const struct pdk_function *rows;
	size_t n;
} makers[MAKERS_MAX];
static size_t n_makers;

/* False: there is no room, the functions are to be made at once. */
static bool note_maker(const char *path, const struct pdk_function *rows, size_t n)
{
	for (size_t i = 0; i < n_makers; i++)
		if (makers[i].rows == rows && strcmp(makers[i].path, path) == 0)
			return true;
	if (n_makers == MAKERS_MAX)
		return false;
	makers[n_makers++] = (struct maker){path, rows, n};
	return true;
}

static bool is_there(const struct pdk_function *row, enum vm_level level)
{
	return row->call != NULL && (row->level != VM_LAX || level == VM_LAX);
}

static void push_function(lua_State *L, const struct pdk_function *row)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)row);
	lua_pushcclosure(L, dispatch, 1);
}

static const struct pdk_function *find_row(
		const struct maker *m, const char *path, struct str name, enum vm_level level)
{
	for (size_t i = 0; i < m->n && strcmp(m->path, path) == 0; i++)
		if (is_there(&m->rows[i], level) && str_eq(name, str_of(m->rows[i].name)))
			return &m->rows[i];
	return NULL;
}

bool pdk_push_registered(lua_State *L, const char *path, struct str name)
{
	const struct pdk_function *row = NULL;

	for (size_t i = 0; i < n_makers && row == NULL; i++)
		row = find_row(&makers[i], path, name, pdk_host(L)->level);
	if (row != NULL)
		push_function(L, row);
	return row != NULL;
}

/* __index(t, name); upvalue: the path. */
static int make_one(lua_State *L)
{
	const char *path = lua_touserdata(L, lua_upvalueindex(1));
	struct str name;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name.p = lua_tolstring(L, 2, &name.n);
	if (!pdk_push_registered(L, path, name))
		return 0;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

/* __fill(t): those that nobody asked for yet; for pairs(). */
static int make_all(lua_State *L)
{
	const char *path = lua_touserdata(L, lua_upvalueindex(1));

	for (size_t i = 0; i < n_makers; i++)
		for (size_t k = 0; k < makers[i].n && strcmp(makers[i].path, path) == 0; k++) {
			lua_getfield(L, 1, makers[i].rows[k].name);
			lua_pop(L, 1);
		}
	return 0;
}

static void set_maker(lua_State *L, const char *field, lua_CFunction make, const char *path)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)path);
	lua_pushcclosure(L, make, 1);
	lua_setfield(L, -2, field);
}

/* The table at the top makes its functions later; false: it cannot.  Tables below the root, and
 * `ngx`, which has a metatable of its own; not those that are called. */
static bool make_later(lua_State *L, const char *path, const struct pdk_function *rows, size_t n)
{
	bool is_maker;

	if (strcmp(path, "ngx") == 0)
		return note_maker(path, rows, n);
	if (strchr(path, '.') == NULL || rows[0].name[0] == '\0')
		return false;
	if (lua_getmetatable(L, -1)) {
		lua_getfield(L, -1, "__fill");
		is_maker = lua_isfunction(L, -1);
		lua_pop(L, 2);
		return is_maker && note_maker(path, rows, n);
	}
	if (!note_maker(path, rows, n))
		return false;
	lua_createtable(L, 0, 2);
	set_maker(L, "__index", make_one, path);
	set_maker(L, "__fill", make_all, path);
	lua_setmetatable(L, -2);
	return true;
}

pdk_observe_fn *pdk_observer;

void pdk_announce(const char *path, const struct pdk_function *rows, size_t n)
{
	if (pdk_observer != NULL)
		pdk_observer(path, rows, n);
}

void pdk_register(lua_State *L, int env_index, const char *path, const struct pdk_function *rows,
		size_t n)
{
	enum vm_level level = pdk_host(L)->level;

	pdk_announce(path, rows, n);
	pdk_push_table(L, env_index, path);
	if (make_later(L, path, rows, n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_there(&rows[i], level))
			continue;
		push_function(L, &rows[i]);
		if (rows[i].name[0] == '\0')
			make_callable(L);
		else
			lua_setfield(L, -2, rows[i].name);
	}
	lua_pop(L, 1);
}

bool pdk_may_wait(lua_State *L)
{
	const struct pdk_host *host = pdk_host(L);

	return host->exchange != NULL && host->exchange->ops != NULL &&
	       (PHASE_BIT(host->phase) & (PDK_PRE | PDK_RA | PDK_CERTIFICATE)) != 0;
}

uint64_t pdk_deadline_ns(double seconds)
{
	return clock_mono_ns() + (uint64_t)(seconds * 1e9) + 1;
}

bool pdk_body_is_in(struct exchange *x, struct pdk_pending *pending)
{
	(void)pending;
	return x->request.body.state != BODY_READING;
}

int pdk_wait(lua_State *L, const struct pdk_pending *pending)
{
	struct pdk_host *host = pdk_host(L);

	host->pending = *pending;
	host->is_parking = true;
	return vm_yield(L);
}

struct str pdk_check_str(lua_State *L, int arg, const char *text)
{
	struct str s;

	if (lua_type(L, arg) != LUA_TSTRING)
		luaL_error(L, "%s", text);
	s.p = lua_tolstring(L, arg, &s.n);
	return s;
}

double pdk_check_number(lua_State *L, int arg, const char *text)
{
	if (lua_type(L, arg) != LUA_TNUMBER)
		luaL_error(L, "%s", text);
	return lua_tonumber(L, arg);
}

long pdk_opt_count(lua_State *L, int arg, const char *what, long absent, long min, long max)
{
	double d;

	if (lua_isnoneornil(L, arg))
		return absent;
	if (lua_type(L, arg) != LUA_TNUMBER)
		luaL_error(L, "%s must be a number", what);
	d = lua_tonumber(L, arg);
	/* Also true for NaN. */
	if (!(d >= (double)min))
		luaL_error(L, "%s must be >= %d", what, (int)min);
	if (!(d <= (double)max))
		luaL_error(L, "%s must be <= %d", what, (int)max);
	return (long)d;
}

void pdk_push_str(lua_State *L, struct str s)
{
	if (s.p == NULL)
		lua_pushnil(L);
	else
		lua_pushlstring(L, s.p, s.n);
}

void pdk_push_upstream_status(lua_State *L, const struct exchange *x)
{
	uint32_t n = x->n_tries;
	luaL_Buffer b;
	char text[16];

	luaL_buffinit(L, &b);
	for (uint32_t i = 0; i < n || i == 0; i++) {
		int status = i < n ? x->tries[i].state_code : 0;

		if (status == 0 && i + 1 >= n)
			status = x->response.service_status;
		if (status != 0)
			snprintf(text, sizeof(text), "%s%d", i != 0 ? ", " : "", status);
		else
			snprintf(text, sizeof(text), "%s", i != 0 ? ", -" : n != 0 ? "-" : "");
		luaL_addstring(&b, text);
	}
	luaL_pushresult(&b);
}

int pdk_fail(lua_State *L, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	lua_pushnil(L);
	lua_pushstring(L, text);
	return 2;
}

void pdk_check_room(lua_State *L, int r)
{
	if (r < 0)
		luaL_error(L, "out of request memory");
}

void pdk_charge(lua_State *L, size_t n)
{
	struct pdk_host *host = pdk_host(L);
	uint64_t max = (uint64_t)host->limits.output_kb << 10;

	host->spent.output_bytes += n;
	if (max != 0 && host->spent.output_bytes > max)
		vm_kill(L, VM_OUTPUT);
}

struct str pdk_keep_output(lua_State *L, struct str s)
{
	pdk_charge(L, s.n);
	return pdk_keep(L, s);
}

struct str pdk_keep(lua_State *L, struct str s)
{
	struct str kept;

	vm_host_enter(L);
	kept = arena_str(pdk_exchange(L)->arena, s);
	vm_host_leave(L);
	pdk_check_room(L, kept.p != NULL ? 0 : -1);
	return kept;
}

struct str pdk_keepf(lua_State *L, const char *fmt, ...)
{
	char small[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(small))
		luaL_error(L, "text too long");
	return pdk_keep(L, (struct str){small, (size_t)n});
}

void pdk_replace_body(lua_State *L, struct str body)
{
	struct exchange *x = pdk_exchange(L);
	int r;

	vm_host_enter(L);
	r = headers_set_id(&x->request.headers, HEADER_CONTENT_LENGTH,
			arena_printf(x->arena, "%zu", body.n));
	if (r == 0) {
		headers_remove_id(&x->request.headers, HEADER_TRANSFER_ENCODING);
		x->request.body = (struct body){
				.state = BODY_COMPLETE, .bytes = body, .is_replaced = true};
	}
	vm_host_leave(L);
	pdk_check_room(L, r);
}
