/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine_configure.h"

#include "base/log.h"
#include "plugin/plan.h"
#include "plugin/value_lua.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

struct collecting {
	struct engine *engine;
	struct engine_version *version;
	struct snap_view *view;
	lua_State *L;
	int n;
};

static bool collect(void *arg, struct str id, uint64_t version, struct str record)
{
	struct collecting *c = arg;
	Sluice__Record__PluginInstance *rec = sluice__record__plugin_instance__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	struct engine_instance *i = NULL;

	(void)version;
	if (rec != NULL && rec->enabled && strcmp(rec->name, c->version->name) == 0)
		i = engine_instance_get(c->engine, c->view, c->version, id);
	if (rec != NULL)
		sluice__record__plugin_instance__free_unpacked(rec, NULL);
	if (i == NULL)
		return true;
	if (c->n == 0)
		lua_createtable(c->L, 4, 0);
	engine_instance_push_conf(i, c->version->box, c->view, c->L);
	lua_rawseti(c->L, -2, ++c->n);
	return true;
}

static void run(struct engine *e, struct engine_version *v, struct vm_run *run)
{
	struct engine_box *b = v->box;
	lua_State *L = vm_run_state(run);
	struct collecting c = {.engine = e, .version = v, .view = engine_view(e), .L = L};
	struct why why = WHY_NONE;
	char text[1200];
	enum vm_status status;

	lua_rawgeti(L, LUA_REGISTRYINDEX, b->method_ref[PHASE_CONFIGURE]);
	lua_rawgeti(L, LUA_REGISTRYINDEX, b->handler_ref);
	if (c.view != NULL)
		snap_each(c.view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, collect, &c);
	if (c.n == 0)
		lua_pushnil(L);
	b->host.exchange = NULL;
	b->host.phase = PHASE_CONFIGURE;
	b->host.instance_id = STR_NONE;
	b->host.slot = NULL;
	b->host.view = c.view;
	b->host.limits = v->limits;
	b->host.spent = (struct pdk_spent){.log_lines = 0};
	if (engine_conf_of(e)->configure_cpu_ms != 0)
		vm_run_set_cpu_ms(run, engine_conf_of(e)->configure_cpu_ms);
	status = vm_start(run, 2, &why);
	if (status == VM_DISCARDED)
		b->is_dead = true;
	if (status == VM_OK)
		return;
	v->totals.errors++;
	log_err("plugin failed", "plugin=%s phase=configure limit=%s error=%s", v->name,
			status == VM_ERROR ? "none" : vm_status_name(status),
			log_quote(text, sizeof(text), str_of(why.text)));
}

void engine_configure(struct engine *e, struct engine_version *v)
{
	struct engine_box *b = v->box;
	struct vm_run *r;

	if (b == NULL || b->is_dead)
		return;
	b->is_configured = true;
	if (b->method_ref[PHASE_CONFIGURE] == LUA_NOREF)
		return;
	r = vm_run_new(b->vm);
	if (r == NULL)
		return;
	run(e, v, r);
	vm_run_free(r);
}

struct engine_box *engine_ready_box(
		struct engine *e, struct engine_version *v, struct snap_view *view)
{
	struct engine_box *b = engine_version_box(v, view);

	engine_note_load(e, v);
	if (b != NULL && !b->is_configured) {
		engine_configure(e, v);
		b = engine_version_box(v, view);
	}
	return b;
}
