/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine_version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "shm/breaker.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

/* How long a handler that did not load is left alone before it is tried again. */
#define COLLECTED_BYTES_MAX (1U << 20)
#define RETRY_MS 1000

static uint64_t next_serial = 1;

/* typedefs.no_consumer and its like are written {"eq": null}. */
static bool ignores(json_t *schema, const char *scope)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(schema, "fields"), i, row) {
		json_t *eq = json_object_get(json_object_get(row, scope), "eq");

		if (json_is_null(eq))
			return true;
	}
	return false;
}

static void take_sha256(uint8_t ret[32], ProtobufCBinaryData from)
{
	if (from.len == 32)
		memcpy(ret, from.data, 32);
}

static void fill(struct engine_version *v, const Sluice__Record__PluginCode *code)
{
	v->name = strdup(code->name);
	v->id = strdup(code->id);
	take_sha256(v->sha256, code->version_sha256);
	take_sha256(v->handler_sha256, code->handler_sha256);
	take_sha256(v->bytecode_sha256, code->handler_bytecode_sha256);
	v->has_bytecode = code->handler_bytecode_sha256.len == 32 &&
			  strcmp(code->handler_bytecode_library, vm_library_id()) == 0;
	(void)limits_resolve(&v->conf->limits, code->limits, NULL, &v->limits);
	v->priority = code->priority;
	v->phases = code->phases;
	v->schema = json_loadb(
			(const char *)code->schema_json.data, code->schema_json.len, 0, NULL);
	v->ignores_consumer = ignores(v->schema, "consumer");
	v->ignores_group = ignores(v->schema, "consumer_group");
	v->ignores_route = ignores(v->schema, "route");
	v->ignores_service = ignores(v->schema, "service");
	v->totals.plugin = str_of(v->name);
	v->totals.version_sha256 = v->sha256;
}

void engine_version_find_rows(struct engine_version *v)
{
	if (v->conf->lat != NULL)
		v->lat_rows = lat_worker_rows(v->conf->lat, v->totals.plugin, v->lat_rows);
}

struct engine_version *engine_version_new(const struct engine_conf *conf, struct str record,
		uint64_t resource_version, struct why *why)
{
	Sluice__Record__PluginCode *code = sluice__record__plugin_code__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	struct engine_version *v;

	if (code == NULL) {
		why_set(why, "custom_plugins", 0, "the record in the snapshot does not parse");
		return NULL;
	}
	v = calloc(1, sizeof(*v));
	if (v != NULL) {
		v->magic = ENGINE_VERSION_MAGIC;
		v->refs = 1;
		v->conf = conf;
		v->resource_version = resource_version;
		fill(v, code);
	}
	sluice__record__plugin_code__free_unpacked(code, NULL);
	if (v == NULL || v->name == NULL || v->id == NULL) {
		why_errno(why, ENOMEM, "cannot keep a plugin");
		engine_version_unref(v);
		return NULL;
	}
	return v;
}

void engine_version_watch(struct engine_version *v)
{
	if (v->conf->breaker == NULL)
		return;
	if (v->content == 0)
		v->content = breaker_hash(breaker_hash(0, v->sha256, sizeof(v->sha256)), &v->limits,
				sizeof(v->limits));
	if (v->breaker == NULL)
		v->breaker = breaker_join(v->conf->breaker, str_of(v->id), v->content);
	else
		v->breaker = breaker_stay(v->conf->breaker, str_of(v->id), v->content);
}

struct engine_version *engine_version_ref(struct engine_version *v)
{
	sl_check(v, ENGINE_VERSION_MAGIC);
	v->refs++;
	return v;
}

void engine_version_unref(struct engine_version *v)
{
	if (v == NULL || --v->refs != 0)
		return;
	sl_check(v, ENGINE_VERSION_MAGIC);
	engine_box_unref(v->box);
	json_decref(v->schema);
	free(v->name);
	free(v->id);
	v->magic = 0;
	free(v);
}

bool engine_version_same(const struct engine_version *a, const struct engine_version *b)
{
	return memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 &&
	       memcmp(a->handler_sha256, b->handler_sha256, sizeof(a->handler_sha256)) == 0 &&
	       strcmp(a->name, b->name) == 0 &&
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 &&
	       a->priority == b->priority && a->phases == b->phases;
}

int engine_version_order(const void *a, const void *b)
{
	const struct engine_version *x = *(struct engine_version *const *)a;
	const struct engine_version *y = *(struct engine_version *const *)b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return strcmp(y->name, x->name);
}

void engine_box_unref(struct engine_box *b)
{
	if (b == NULL || --b->refs != 0)
		return;
	vm_free(b->vm);
	free(b);
}

/* Runs the main chunk; its one result is at the top of the run's stack afterwards. */
static int run_chunk(struct engine_box *b, struct vm_run *run, struct why *why)
{
	lua_State *L = vm_run_state(run);
	enum vm_status status;

	lua_xmove(vm_main(b->vm), L, 1);
	status = vm_start(run, 0, why);
	if (status == VM_DISCARDED)
		b->is_dead = true;
	if (status == VM_OK && lua_gettop(L) >= 1 && lua_istable(L, 1))
		return 0;
	if (status == VM_OK)
		why_set(why, "handler.lua", 0, "the handler must return a table");
	else if (status == VM_YIELDED)
		why_set(why, "handler.lua", 0, "the main chunk must not wait");
	else if (status != VM_ERROR)
		why_set(why, "handler.lua", 0, "the main chunk was stopped: %s limit",
				vm_status_name(status));
	return -EINVAL;
}

static void take_methods(struct engine_box *b, lua_State *L)
{
	lua_settop(L, 1);
	for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
		lua_pushstring(L, phase_name((enum phase)phase));
		lua_rawget(L, 1);
		if (lua_isfunction(L, -1)) {
			b->method_ref[phase] = luaL_ref(L, LUA_REGISTRYINDEX);
		} else {
			lua_pop(L, 1);
			b->method_ref[phase] = LUA_NOREF;
		}
	}
	b->handler_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int load_handler(struct engine_version *v, struct engine_box *b, struct snap_view *view)
{
	struct str bytecode = v->has_bytecode ? snap_blob(view, v->bytecode_sha256) : STR_NONE;
	struct str code = bytecode.p != NULL ? bytecode : snap_blob(view, v->handler_sha256);
	struct vm_run *run;
	int r;

	if (code.p == NULL) {
		why_set(&v->why, "handler.lua", 0, "its source is not in the snapshot");
		return -ENOENT;
	}
	r = vm_load(b->vm, code, "handler.lua", bytecode.p != NULL, &v->why);
	if (r != 0)
		return r;
	run = vm_run_new(b->vm);
	if (run == NULL)
		return why_errno(&v->why, ENOMEM, "cannot load the handler");
	r = run_chunk(b, run, &v->why);
	if (r == 0)
		take_methods(b, vm_run_state(run));
	vm_run_free(run);
	/* What building the environment and compiling left behind; of a large heap it would hold
	 * the worker up. */
	if (r == 0 && vm_memory_bytes(b->vm) < COLLECTED_BYTES_MAX)
		(void)lua_gc(vm_main(b->vm), LUA_GCCOLLECT, 0);
	return r;
}

/* The 16 bytes of the epoch in the shape of a uuid. */
static void cluster_id(struct snap_view *view, char ret[40])
{
	struct str epoch = snap_view_epoch(view);
	char hex[33];

	if (epoch.n != 16)
		return;
	hex_encode(epoch.p, 16, hex);
	snprintf(ret, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static struct engine_box *box_load(struct engine_version *v, struct snap_view *view)
{
	struct engine_box *b = calloc(1, sizeof(*b));
	uint64_t start_ns = clock_mono_ns();
	int r;

	if (b == NULL) {
		why_errno(&v->why, ENOMEM, "cannot load the handler");
		return NULL;
	}
	b->refs = 1;
	b->serial = next_serial++;
	b->host = (struct pdk_host){.conf = v->conf,
			.level = v->conf->level,
			.plugin_name = v->name,
			.phase = PHASE_COUNT,
			.limits = v->limits};
	cluster_id(view, b->host.cluster_id);
	r = vm_new(&b->vm, v->name, v->conf->level, &v->limits, pdk_open, &b->host);
	if (r != 0)
		why_errno(&v->why, -r, "cannot make a VM");
	else
		r = load_handler(v, b, view);
	if (r == 0) {
		log_debug("plugin loaded", "plugin=%s from=%s us=%llu", v->name,
				v->has_bytecode ? "bytecode" : "source",
				(unsigned long long)((clock_mono_ns() - start_ns) / 1000));
		return b;
	}
	engine_box_unref(b);
	return NULL;
}

void engine_version_drop_box(struct engine_version *v)
{
	engine_version_count(v);
	engine_box_unref(v->box);
	v->box = NULL;
}

struct engine_box *engine_version_box(struct engine_version *v, struct snap_view *view)
{
	uint64_t now;

	if (v->box != NULL && !v->box->is_dead && !vm_is_spoiled(v->box->vm))
		return v->box;
	engine_version_drop_box(v);
	now = clock_mono_ms();
	if (v->failed_ms != 0 && now - v->failed_ms < RETRY_MS)
		return NULL;
	v->why = WHY_NONE;
	if (view != NULL)
		v->box = box_load(v, view);
	else
		why_set(&v->why, "handler.lua", 0, "there is no snapshot to load it from");
	v->failed_ms = v->box == NULL ? now : 0;
	return v->box;
}

void engine_version_count(struct engine_version *v)
{
	struct engine_box *b = v->box;

	v->totals.memory_bytes = 0;
	if (b == NULL || b->is_dead)
		return;
	v->totals.memory_bytes = vm_memory_bytes(b->vm);
	v->totals.cpu_ns += vm_cpu_ns(b->vm) - b->counted_cpu_ns;
	b->counted_cpu_ns = vm_cpu_ns(b->vm);
}
