/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_path.h"

#include <string.h>

#define GET_BIT ADMIN_BIT(ADMIN_GET)
#define POST_BIT ADMIN_BIT(ADMIN_POST)
#define WRITE_BITS (ADMIN_BIT(ADMIN_PUT) | ADMIN_BIT(ADMIN_PATCH) | ADMIN_BIT(ADMIN_DELETE))

/* More literal paths stand before those with a placeholder. */
/* clang-format off */
#define ADMIN_PATH_TABLE(X) \
	X("/", GET, admin_info_root) \
	X("/status", GET, admin_info_status) \
	X("/endpoints", GET, admin_info_endpoints) \
	X("/plugins/enabled", GET, admin_info_enabled) \
	X("/tags", GET, admin_tags_all) \
	X("/tags/{tags}", GET, admin_tags_one) \
	X("/schemas/plugins/validate", POST, admin_schema_validate_plugin) \
	X("/schemas/plugins/{name}", GET, admin_schema_plugin) \
	X("/schemas/{entity}", GET, admin_schema_entity) \
	X("/schemas/{entity}/validate", POST, admin_schema_validate) \
	X("/clustering/data-planes", GET, admin_cluster_nodes) \
	X("/clustering/status", GET, admin_cluster_status) \
	X("/custom-plugins/{custom_plugins}/status", GET, admin_cluster_plugin) \
	X("/upstreams/{upstreams}/health", GET, admin_health_upstream) \
	X("/upstreams/{upstreams}/targets/{targets}/healthy", PUT, admin_health_set_healthy) \
	X("/upstreams/{upstreams}/targets/{targets}/unhealthy", PUT, admin_health_set_unhealthy) \
	X("/upstreams/{upstreams}/targets/{targets}/{address}/healthy", PUT, admin_health_set_healthy) \
	X("/upstreams/{upstreams}/targets/{targets}/{address}/unhealthy", PUT, admin_health_set_unhealthy) \
	X("/metrics", GET, admin_metrics) \
	X("/config", GET, admin_config_get) \
	X("/config", POST, admin_config_post)
/* clang-format on */

struct path_row {
	const char *pattern;
	enum admin_method method;
	admin_handler *run;
};

static const struct path_row rows[] = {
#define X(pattern, method, run) {pattern, ADMIN_##method, run},
		ADMIN_PATH_TABLE(X)
#undef X
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool row_matches(const struct path_row *row, const struct admin_call *call)
{
	const char *at = row->pattern + 1;

	for (unsigned i = 0; i < call->seg_n; i++) {
		size_t n = strcspn(at, "/");

		if (n == 0)
			return false;
		if (*at != '{' && !str_eq(call->seg[i], (struct str){at, n}))
			return false;
		at += n;
		at += *at == '/';
	}
	return *at == '\0';
}

/* ---- paths of entities ---- */

static const struct entity_foreign *foreign_to(
		const struct entity_def *child, const struct entity_def *parent)
{
	for (const struct entity_foreign *f = child->foreign; f->field != NULL; f++) {
		if (f->to == parent->type)
			return f;
	}
	return NULL;
}

static const struct entity_foreign *foreign_named(const struct entity_def *child, struct str field)
{
	for (const struct entity_foreign *f = child->foreign; f->field != NULL; f++) {
		if (str_eq(field, str_of(f->field)))
			return f;
	}
	return NULL;
}

/* Whether child entities are members of first, or the other way round. */
static bool find_members(const struct entity_def *first, const struct entity_def *child,
		struct admin_target *ret)
{
	const struct entity_def *member = entity_def(ENTITY_CONSUMER_GROUP_CONSUMERS);

	if (child == NULL || first == child)
		return false;
	ret->def = member;
	ret->of = foreign_to(member, first);
	ret->across = foreign_to(member, child);
	return ret->of != NULL && ret->across != NULL;
}

static bool find_nested(const struct admin_call *call, const struct entity_def *first,
		struct admin_target *ret)
{
	const struct entity_def *child = entity_by_path(call->seg[2]);
	const struct entity_foreign *f = child != NULL ? foreign_to(child, first) : NULL;

	*ret = (struct admin_target){.other = first, .other_key = call->seg[1]};
	ret->is_item = call->seg_n == 4;
	ret->key = ret->is_item ? call->seg[3] : STR_NONE;
	if (f != NULL) {
		ret->def = child;
		ret->of = f;
		return true;
	}
	if (find_members(first, child, ret))
		return true;
	*ret = (struct admin_target){.other = first, .other_key = call->seg[1]};
	f = foreign_named(first, call->seg[2]);
	if (f == NULL || call->seg_n != 3)
		return false;
	ret->def = entity_def(f->to);
	ret->through = f;
	ret->is_item = true;
	return true;
}

static bool find_target(const struct admin_call *call, struct admin_target *ret)
{
	const struct entity_def *first = call->seg_n != 0 ? entity_by_path(call->seg[0]) : NULL;

	if (first == NULL || call->seg_n > 4)
		return false;
	if (call->seg_n > 2)
		return find_nested(call, first, ret);
	*ret = (struct admin_target){.def = first};
	if (call->seg_n == 2) {
		ret->is_item = true;
		ret->key = call->seg[1];
	}
	return true;
}

static unsigned methods_of(const struct admin_target *target)
{
	if (target->across != NULL)
		return GET_BIT | ADMIN_BIT(ADMIN_DELETE) | (target->is_item ? 0 : POST_BIT);
	if (!target->is_item)
		return GET_BIT | POST_BIT;
	if (target->through != NULL)
		return GET_BIT | ADMIN_BIT(ADMIN_PUT) | ADMIN_BIT(ADMIN_PATCH);
	return GET_BIT | WRITE_BITS;
}

static void refuse_streaming_off(struct admin_call *call)
{
	admin_message(call, 403,
			"streaming of custom plugins is switched off on this node; set "
			"custom_plugin_streaming_enabled to on");
}

static bool is_streaming_off(const struct admin_call *call)
{
	return call->seg_n != 0 && str_eq(call->seg[0], STR("custom-plugins")) &&
	       !call->parts->model->conf->custom_plugin_streaming_enabled;
}

static void run_target(struct admin_call *call, const struct admin_target *target)
{
	unsigned methods = methods_of(target);

	if (call->method >= ADMIN_OTHER || (ADMIN_BIT(call->method) & methods) == 0)
		admin_not_allowed(call, methods);
	else if (call->method == ADMIN_GET && !target->is_item)
		admin_list_run(call, target);
	else if (target->across != NULL)
		admin_member_run(call, target);
	else
		admin_crud_run(call, target);
}

/* /default/services is /services: there is one workspace. */
static void drop_workspace(struct admin_call *call)
{
	if (call->seg_n < 2 || !str_eq(call->seg[0], STR("default")))
		return;
	memmove(call->seg, call->seg + 1, (call->seg_n - 1) * sizeof(call->seg[0]));
	call->seg_n--;
}

void admin_path_run(struct admin_call *call)
{
	struct admin_target target;
	unsigned methods = 0;

	drop_workspace(call);
	if (is_streaming_off(call)) {
		refuse_streaming_off(call);
		return;
	}
	for (size_t i = 0; i < ROWS; i++) {
		if (!row_matches(&rows[i], call))
			continue;
		if (rows[i].method == call->method) {
			rows[i].run(call);
			return;
		}
		methods |= ADMIN_BIT(rows[i].method);
	}
	if (find_target(call, &target) && (methods == 0 || call->seg_n == 2)) {
		run_target(call, &target);
		return;
	}
	if (methods != 0)
		admin_not_allowed(call, methods);
	else
		admin_message(call, 404, "Not found");
}

bool admin_path_takes_raw(const struct admin_call *call)
{
	return call->seg_n == 1 && str_eq(call->seg[0], STR("config"));
}

/* ---- GET /endpoints ---- */

static void add_unique(json_t *list, json_t *path)
{
	const json_t *there;
	size_t i;

	json_array_foreach (list, i, there) {
		if (json_equal(there, path)) {
			json_decref(path);
			return;
		}
	}
	json_array_append_new(list, path);
}

static void add_nested(
		json_t *list, const struct entity_def *parent, const struct entity_def *child)
{
	const struct entity_foreign *f = foreign_to(child, parent);
	struct admin_target t;

	if (f == NULL && !find_members(parent, child, &t))
		return;
	add_unique(list, json_sprintf("/%s/{%s}/%s", parent->path, parent->name, child->path));
	add_unique(list, json_sprintf("/%s/{%s}/%s/{%s}", parent->path, parent->name, child->path,
					 child->name));
	if (f != NULL)
		add_unique(list, json_sprintf("/%s/{%s}/%s", child->path, child->name, f->field));
}

json_t *admin_path_list(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ROWS; i++)
		add_unique(list, json_string(rows[i].pattern));
	for (enum entity_type p = 0; p < ENTITY_COUNT; p++) {
		const struct entity_def *def = entity_def(p);

		if (def->path[0] == '\0')
			continue;
		add_unique(list, json_sprintf("/%s", def->path));
		add_unique(list, json_sprintf("/%s/{%s}", def->path, def->name));
		for (enum entity_type c = 0; c < ENTITY_COUNT; c++)
			if (entity_def(c)->path[0] != '\0')
				add_nested(list, def, entity_def(c));
	}
	return list;
}
