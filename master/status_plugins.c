/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "master/status_docs.h"
#include "master/status_limits.h"
#include "plugin/phase.h"
#include "shm/breaker.h"
#include "shm/record.pb-c.h"

struct walk {
	const struct status_sources *sources;
	const struct snap_view *view;
	struct status_limits limits;
	json_t *data;
};

static json_t *phases_json(uint32_t phases)
{
	json_t *names = json_array();

	for (enum phase p = 0; p < PHASE_COUNT; p++) {
		if ((phases & PHASE_BIT(p)) != 0)
			json_array_append_new(names, json_string(phase_name(p)));
	}
	return names;
}

static json_t *counters_json(const struct status_sources *s, const char *plugin)
{
	struct plugin_total t;
	json_t *o = json_object();

	counts_of(s->counts, plugin, &t);
#define X(field, type, help) json_object_set_new(o, #field, json_integer((json_int_t)t.field));
	COUNTS_TABLE(X)
#undef X
	return o;
}

static json_t *breaker_json(const struct status_sources *s, struct str id)
{
	struct breaker_show b;

	breaker_show(s->breaker, id, clock_mono_ms(), &b);
	return json_pack("{s:s, s:I, s:I}", "state", breaker_state_name(b.state), "opens",
			(json_int_t)b.opens, "retry_in_ms", (json_int_t)b.retry_in_ms);
}

static json_t *refusal_json(const struct walk *w, struct str id, uint64_t version)
{
	struct snap_refusal f;
	const struct why *why;
	uint64_t in_force;

	if (snap_refusal(w->view, SLUICE__RECORD__KIND__PLUGIN_CODE, id, &f))
		return json_pack("{s:I, s:s%, s:s%, s:i, s:s%}", "version", (json_int_t)f.version,
				"code", f.code.p, f.code.n, "file", f.file.p, f.file.n, "line",
				(int)f.line, "message", f.text.p, f.text.n);
	why = rollout_refusal(follow_rollout(w->sources->follow), id, version, &in_force);
	if (why == NULL)
		return json_null();
	return json_pack("{s:I, s:s, s:s, s:i, s:s}", "version", (json_int_t)version, "code",
			"worker", "file", why->file, "line", why->line, "message", why->text);
}

static bool add_plugin(void *arg, struct str id, uint64_t version, struct str record)
{
	struct walk *w = arg;
	const struct rollout *rollout = follow_rollout(w->sources->follow);
	Sluice__Record__PluginCode *c = sluice__record__plugin_code__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	char sha[65] = "";
	uint32_t active = rollout_active(rollout, snap_view_generation(w->view), id, version);
	json_t *refusal;

	if (c == NULL)
		return true;
	if (c->version_sha256.len == 32)
		hex_encode(c->version_sha256.data, 32, sha);
	refusal = refusal_json(w, id, version);
	json_array_append_new(w->data,
			json_pack("{s:s, s:s, s:s, s:I, s:s, s:i, s:o, s:s, s:i, s:i, s:o, s:o, "
				  "s:o, s:o}",
					"id", c->id, "name", c->name, "version", sha, "revision",
					(json_int_t)version, "plugin_version", c->plugin_version,
					"priority", (int)c->priority, "phases",
					phases_json(c->phases), "state",
					json_is_null(refusal) ? "active" : "rejected",
					"workers_active", (int)active, "workers_total",
					(int)rollout_total(rollout), "refusal", refusal, "counters",
					counters_json(w->sources, c->name), "breaker",
					breaker_json(w->sources, id), "limits",
					status_limits_json(&w->limits, c)));
	sluice__record__plugin_code__free_unpacked(c, NULL);
	return true;
}

static bool is_listed(const json_t *data, const char *id)
{
	const json_t *plugin;
	size_t i;

	json_array_foreach (data, i, plugin) {
		if (strcmp(json_string_value(json_object_get(plugin, "id")), id) == 0)
			return true;
	}
	return false;
}

/* A plugin none of whose versions was ever accepted has no record: history knows its name. */
static void add_never_accepted(struct walk *w, const struct history_rejection *x)
{
	json_t *refusal;

	if (x->kind != SLUICE__RECORD__KIND__PLUGIN_CODE || is_listed(w->data, x->id))
		return;
	refusal = refusal_json(w, str_of(x->id), x->version);
	if (json_is_null(refusal))
		return; /* removed since */
	json_array_append_new(w->data,
			json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:[], s:s, s:i, s:i, s:o, s:o}",
					"id", x->id, "name", x->name, "version", "", "revision", 0,
					"plugin_version", "", "priority", 0, "phases", "state",
					"rejected", "workers_active", 0, "workers_total",
					(int)rollout_total(follow_rollout(w->sources->follow)),
					"refusal", refusal, "counters",
					counters_json(w->sources, x->name)));
}

json_t *status_doc_plugins(const struct status_sources *s)
{
	struct walk w = {.sources = s, .data = json_array()};
	const struct history_entry *e;

	w.view = s->follow != NULL ? follow_view(s->follow) : NULL;
	if (w.view != NULL) {
		status_limits_read(&w.limits, s->node->conf, w.view);
		snap_each(w.view, SLUICE__RECORD__KIND__PLUGIN_CODE, add_plugin, &w);
	}
	json_decref(w.limits.instances);
	for (uint32_t i = 0; w.view != NULL && (e = history_at(s->history, i)) != NULL; i++) {
		for (uint32_t k = 0; k < e->n_rejections; k++)
			add_never_accepted(&w, &e->rejections[k]);
	}
	return json_pack("{s:o}", "plugins", w.data);
}
