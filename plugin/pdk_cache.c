/* SPDX-License-Identifier: Apache-2.0
 * kong.cache and resty.lock: what they are made of.  The functions themselves are Lua
 * (plugin/module_lua/_cache.lua, _lock.lua), because they call the plugin's. */
#include <errno.h>
#include <math.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "plugin/cache_store.h"
#include "plugin/engine.h"
#include "plugin/module_part.h"
#include "plugin/pdk_held.h"
#include "plugin/pdk_log.h"
#include "plugin/pdk_part.h"
#include "plugin/value_lua.h"
#include "plugin/value_pack.h"
#include "shm/snapshot.h"

#define ARENA_MAX (4U << 20)
#define CACHE_METHODS_KEY "pdk_cache"
#define SHA256_BYTES 32

/* Between a VM and shared memory: one of the process, empty between two calls. */
static struct arena *scratch;
static struct buf packed;

static bool scratch_open(void)
{
	if (scratch == NULL && arena_new(&scratch, ARENA_MAX) != 0)
		return false;
	arena_clear(scratch);
	buf_clear(&packed);
	packed.is_failed = false;
	return true;
}

struct where {
	struct dict *dict;
	uint32_t space;
	struct str key;
	char bytes[DICT_KEY_MAX];
};

static const char *const failures[] = {
		[DICT_E_ABSENT] = "not found",
		[DICT_E_EXISTS] = "locked",
		[DICT_E_FULL] = "no memory",
		[DICT_E_TOO_LONG] = "value too large",
		[DICT_E_BUSY] = "busy: another worker holds the memory",
		[DICT_E_TYPE] = "the key is in use for something else",
};

static int fail(lua_State *L, int r)
{
	return pdk_fail(L, "%s", r > 0 && (size_t)r < PDK_COUNT(failures) ? failures[r] : "failed");
}

/* Entities of the configuration: what was made of them is not found in the next generation. */
static bool is_entity_key(struct str key)
{
	static const char *const entities[] = {
			"certificates:", "consumers:", "consumer_groups:", "key_sets:", "keys:",
			"plugins:", "routes:", "services:", "snis:", "targets:", "upstreams:"};

	for (size_t i = 0; i < PDK_COUNT(entities); i++)
		if (str_starts(key, str_of(entities[i])))
			return true;
	return false;
}

static uint64_t generation(const struct pdk_host *host)
{
	return host->view != NULL ? snap_view_generation(host->view) : 0;
}

/* prefix, generation or 0, and the key; or the hash of a long one. */
static void make_key(
		const struct pdk_host *host, const char *prefix, struct str key, struct where *ret)
{
	unsigned char sha[SHA256_BYTES];
	uint64_t g = is_entity_key(key) ? generation(host) : 0;
	int n = snprintf(ret->bytes, sizeof(ret->bytes), "%s%llx:", prefix, (unsigned long long)g);
	size_t at = (size_t)n;

	if (key.n <= sizeof(ret->bytes) - at) {
		memcpy(ret->bytes + at, key.p, key.n);
		ret->key = (struct str){ret->bytes, at + key.n};
		return;
	}
	EVP_Digest(key.p, key.n, sha, NULL, EVP_sha256(), NULL);
	ret->bytes[at - 1] = '#';
	hex_encode(sha, sizeof(sha), ret->bytes + at);
	ret->key = (struct str){ret->bytes, at + 2 * sizeof(sha)};
}

/* 0, or pdk_fail()'s number of results. */
static int open_place(lua_State *L, const char *prefix, struct where *ret)
{
	struct pdk_host *host = pdk_host(L);
	struct str key = pdk_check_str(L, 1, "key must be a string");
	int r = 0;

	ret->dict = host->conf->dict;
	if (ret->dict == NULL)
		return pdk_fail(L, "there is no shared memory here");
	vm_host_enter(L);
	if (host->dict_space == 0) {
		r = dict_space(ret->dict, str_of(host->plugin_name), &ret->space);
		host->dict_space = r == 0 ? ret->space + 1 : 0;
	}
	ret->space = host->dict_space - 1;
	make_key(host, prefix, key, ret);
	vm_host_leave(L);
	return r == 0 ? 0 : fail(L, r);
}

/* clock() → milliseconds, a number that changes when something was invalidated */
static int cache_clock(lua_State *L)
{
	struct pdk_host *host = pdk_host(L);
	uint64_t epoch = generation(host) & UINT32_MAX;

	if (host->conf->dict != NULL && host->dict_space != 0)
		epoch |= (dict_epoch(host->conf->dict, host->dict_space - 1) & 0xfffff) << 32;
	lua_pushnumber(L, (double)cache_now_ms());
	lua_pushnumber(L, (double)epoch);
	return 2;
}

/* read(key) → expires in ms of clock() (0 = never), ttl in ms, value | nil, why */
static int cache_read(lua_State *L)
{
	struct cache_time time = {0, 0};
	struct value v = {.type = VALUE_NIL};
	struct where w;
	int r = open_place(L, "k", &w);

	if (r != 0)
		return r;
	value_check_stack(L);
	vm_host_enter(L);
	r = scratch_open() ? cache_store_get(w.dict, w.space, w.key, &packed, &time) : DICT_E_FULL;
	if (r == 0 && value_unpack(scratch, buf_str(&packed), &v) != 0)
		r = DICT_E_ABSENT;
	vm_host_leave(L);
	if (r == DICT_E_ABSENT) {
		lua_pushnil(L);
		return 1;
	}
	if (r != 0)
		return fail(L, r);
	lua_pushnumber(L, (double)time.expires_ms);
	lua_pushnumber(L, (double)time.ttl_ms);
	value_push(L, &v);
	return 3;
}

static uint64_t check_ms(lua_State *L, int arg)
{
	double s = lua_isnoneornil(L, arg) ? 0 : pdk_check_number(L, arg, "ttl must be a number");

	if (!(s >= 0))
		luaL_error(L, "ttl must be >= 0");
	return s < 1e9 ? (uint64_t)ceil(s * 1000) : 0;
}

/* write(key, value, ttl, keep) → true | nil, why; seconds, ttl 0 = never expires */
static int cache_write(lua_State *L)
{
	uint64_t ttl_ms = check_ms(L, 3), keep_ms = check_ms(L, 4);
	const char *what = "";
	struct value v;
	struct where w;
	int r = open_place(L, "k", &w);
	int kept;

	if (r != 0)
		return r;
	value_check_stack(L);
	vm_host_enter(L);
	kept = scratch_open() ? value_from_lua(L, 2, scratch, &v, &what) : -ENOMEM;
	if (kept == 0)
		kept = value_pack(&packed, &v, CACHE_VALUE_MAX);
	if (kept == 0)
		r = cache_store_put(w.dict, w.space, w.key, buf_str(&packed), ttl_ms, keep_ms);
	vm_host_leave(L);
	if (kept == -EINVAL)
		return pdk_fail(L, "cannot cache %s", what);
	if (kept != 0)
		return fail(L, DICT_E_TOO_LONG);
	if (r != 0)
		return fail(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* drop(key) → true | nil, why; everybody's own copies are outdated from here on */
static int cache_drop(lua_State *L)
{
	struct where w;
	int r = open_place(L, "k", &w);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = cache_store_delete(w.dict, w.space, w.key);
	dict_epoch_next(w.dict, w.space);
	vm_host_leave(L);
	if (r != 0 && r != DICT_E_ABSENT)
		return fail(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* outdate(): the copies alone */
static int cache_outdate(lua_State *L)
{
	struct pdk_host *host = pdk_host(L);

	if (host->conf->dict != NULL && host->dict_space != 0)
		dict_epoch_next(host->conf->dict, host->dict_space - 1);
	return 0;
}

/* may_wait(): whether ngx.sleep() works here */
static int cache_may_wait(lua_State *L)
{
	lua_pushboolean(L, pdk_may_wait(L));
	return 1;
}

/* warn(text) */
static int cache_warn(lua_State *L)
{
	pdk_log_text(L, LOG_WARN, pdk_check_str(L, 1, "text must be a string").p);
	return 0;
}

/* hold(key, seconds, until_request_ends) → token | nil, "locked" or why */
static int lock_hold(lua_State *L)
{
	enum pdk_held_until until = lua_toboolean(L, 3) ? PDK_HELD_REQUEST : PDK_HELD_RUN;
	uint64_t ttl_ms = check_ms(L, 2), token = 0;
	struct where w;
	int r = open_place(L, until == PDK_HELD_RUN ? "l" : "m", &w);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = dict_hold(w.dict, w.space, w.key, ttl_ms, &token);
	if (r == 0 && pdk_held_add(pdk_host(L), w.space, w.key, token, until) != 0) {
		dict_release(w.dict, w.space, w.key, token);
		r = DICT_E_FULL;
	}
	vm_host_leave(L);
	if (r != 0)
		return fail(L, r);
	lua_pushlstring(L, (const char *)&token, sizeof(token));
	return 1;
}

static uint64_t check_token(lua_State *L)
{
	struct str s = pdk_check_str(L, 2, "token must be a string");
	uint64_t token;

	if (s.n != sizeof(token))
		luaL_error(L, "not a token");
	memcpy(&token, s.p, sizeof(token));
	return token;
}

static int change_lock(lua_State *L, uint64_t ttl_ms)
{
	uint64_t token = check_token(L);
	struct where w;
	int r = open_place(L, lua_toboolean(L, 3) ? "m" : "l", &w);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = ttl_ms == 0 ? dict_release(w.dict, w.space, w.key, token)
			: dict_prolong(w.dict, w.space, w.key, token, ttl_ms);
	vm_host_leave(L);
	lua_pushboolean(L, r == 0);
	return 1;
}

/* release(key, token, is_until_request_ends) → was it still ours */
static int lock_release(lua_State *L)
{
	return change_lock(L, 0);
}

/* prolong(key, token, is_until_request_ends, seconds) → was it still ours */
static int lock_prolong(lua_State *L)
{
	uint64_t ttl_ms = check_ms(L, 4);

	return change_lock(L, ttl_ms != 0 ? ttl_ms : 1);
}

static const luaL_Reg functions[] = {
		{"clock", cache_clock},
		{"drop", cache_drop},
		{"hold", lock_hold},
		{"may_wait", cache_may_wait},
		{"outdate", cache_outdate},
		{"prolong", lock_prolong},
		{"read", cache_read},
		{"release", lock_release},
		{"warn", cache_warn},
		{"write", cache_write},
		{NULL, NULL},
};

static int open_lock(lua_State *L)
{
	module_run(L, "_lock", functions);
	return 1;
}

/* kong.cache.<name>: the Lua is compiled when somebody asks. */
static int index_cache(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, CACHE_METHODS_KEY);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		module_run(L, "_cache", functions);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, CACHE_METHODS_KEY);
	}
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

/* clang-format off */
#define CACHE_FUNCTIONS(X) \
	X("get", NULL, PDK_ANY, VM_STRICT, "Method (key, opts, callback, …): the value, nil, and where it was found: 1 this worker, 2 this node, 3 callback, 4 expired but the callback failed. The callback runs once per node; who comes meanwhile waits (rewrite, access, response). opts: ttl, neg_ttl, resurrect_ttl") \
	X("get_bulk", NULL, PDK_ANY, VM_STRICT, "Method (bulk): get() for each key, opts, callback, argument in bulk[1 … 4 * bulk.n]; value, error, level of each") \
	X("probe", NULL, PDK_ANY, VM_STRICT, "Method (key): seconds left, nil, value; nil when it is not there") \
	X("renew", NULL, PDK_ANY, VM_STRICT, "Method (key, opts, callback, …): the callback's value replaces the one there; value, nil, ttl") \
	X("safe_set", NULL, PDK_ANY, VM_STRICT, "Method (key, value, ttl, neg_ttl): true, or nil and why") \
	X("invalidate", NULL, PDK_ANY, VM_STRICT, "Method (key): gone, for every worker of this node") \
	X("invalidate_local", NULL, PDK_ANY, VM_STRICT, "Method (key): as invalidate")
/* clang-format on */

void pdk_provide_lock(lua_State *L)
{
	vm_provide_module(L, "resty.lock", open_lock);
}

void pdk_open_cache(lua_State *L, int env_index)
{
	static const struct pdk_function rows[] = {CACHE_FUNCTIONS(PDK_ROW)};

	pdk_announce("kong.cache", rows, PDK_COUNT(rows));
	pdk_push_table(L, env_index, "kong.cache");
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, index_cache);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}
