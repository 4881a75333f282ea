/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status_limits.h"

typedef Sluice__Record__Limits Limits;

/* Past so many instances a status document does not look at each of them. */
#define INSTANCES_MAX 20000

static void set_limits(json_t *o, const struct vm_limits *l, uint32_t capped)
{
	json_t *names = json_array();

	for (enum limit i = 0; i < LIMIT_COUNT; i++) {
		json_object_set_new(o, limit_name(i), json_integer(limit_get(l, i)));
		if ((capped & LIMIT_BIT(i)) != 0)
			json_array_append_new(names, json_string(limit_name(i)));
	}
	json_object_set_new(o, "capped", names);
}

static json_t *asked_json(const Limits *l)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "cpu_ms", (json_int_t)l->cpu_ms, "wall_ms",
			(json_int_t)l->wall_ms, "log_lines", (json_int_t)l->log_lines, "output_kb",
			(json_int_t)l->output_kb);
}

static bool add_instance(void *arg, struct str id, uint64_t version, struct str record)
{
	struct status_limits *l = arg;
	Sluice__Record__PluginInstance *i = sluice__record__plugin_instance__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	json_t *of_plugin, *asked;

	(void)id;
	(void)version;
	if (i == NULL)
		return true;
	if (i->limits != NULL) {
		of_plugin = json_object_get(l->instances, i->name);
		if (of_plugin == NULL) {
			of_plugin = json_array();
			json_object_set_new(l->instances, i->name, of_plugin);
		}
		asked = asked_json(i->limits);
		json_object_set_new(asked, "id", json_string(i->id));
		json_array_append_new(of_plugin, asked);
	}
	sluice__record__plugin_instance__free_unpacked(i, NULL);
	return true;
}

void status_limits_read(
		struct status_limits *l, const struct conf *conf, const struct snap_view *view)
{
	limits_policy_of(conf, &l->policy);
	l->instances = json_object();
	if (snap_count(view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE) <= INSTANCES_MAX)
		snap_each(view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, add_instance, l);
}

static uint32_t number(const json_t *o, const char *field)
{
	return (uint32_t)json_integer_value(json_object_get(o, field));
}

static json_t *instance_json(
		const struct status_limits *l, const struct vm_limits *of_code, const json_t *asked)
{
	const struct limits_policy policy = {.by_default = *of_code, .max = l->policy.max};
	Limits own = SLUICE__RECORD__LIMITS__INIT;
	struct vm_limits now;
	json_t *o = json_object();
	uint32_t capped;

	own.cpu_ms = number(asked, "cpu_ms");
	own.wall_ms = number(asked, "wall_ms");
	own.log_lines = number(asked, "log_lines");
	own.output_kb = number(asked, "output_kb");
	capped = limits_resolve(&policy, NULL, &own, &now);
	json_object_set(o, "id", json_object_get(asked, "id"));
	set_limits(o, &now, capped);
	return o;
}

json_t *status_limits_json(const struct status_limits *l, const Sluice__Record__PluginCode *code)
{
	json_t *o = json_object(), *list = json_array(), *asked;
	struct vm_limits now;
	size_t i;

	set_limits(o, &now, limits_resolve(&l->policy, code->limits, NULL, &now));
	json_array_foreach (json_object_get(l->instances, code->name), i, asked)
		json_array_append_new(list, instance_json(l, &now, asked));
	json_object_set_new(o, "instances", list);
	return o;
}
