/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine_scope.h"

#include <stdlib.h>

#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

/* An instance of one consumer, or of a group of them. */
struct scope {
	struct scope *next;
	char *route_id, *service_id; /* "" = any */
};

struct configured {
	struct configured *next;
	char *plugin;
	struct scope *scopes;
};

struct engine_scopes {
	struct configured *first;
	bool is_short; /* of memory */
};

static void configured_free(struct configured *c)
{
	while (c->scopes != NULL) {
		struct scope *next = c->scopes->next;

		free(c->scopes->route_id);
		free(c->scopes->service_id);
		free(c->scopes);
		c->scopes = next;
	}
	free(c->plugin);
	free(c);
}

void engine_scopes_free(struct engine_scopes *s)
{
	if (s == NULL)
		return;
	while (s->first != NULL) {
		struct configured *next = s->first->next;

		configured_free(s->first);
		s->first = next;
	}
	free(s);
}

bool engine_scope_is_named(const char *name, struct str plugin)
{
	for (size_t i = 0; i < plugin.n; i++)
		if (name[i] == '\0' || (name[i] == '-' ? '_' : name[i]) != plugin.p[i])
			return false;
	return name[plugin.n] == '\0';
}

static struct configured *of_plugin(struct engine_scopes *s, const char *plugin)
{
	struct configured *c = s->first;

	while (c != NULL && strcmp(c->plugin, plugin) != 0)
		c = c->next;
	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->plugin = strdup(plugin);
	c->next = s->first;
	if (c->plugin != NULL)
		return s->first = c;
	free(c);
	return NULL;
}

static bool add_scope(struct configured *c, const Sluice__Record__PluginInstance *rec)
{
	struct scope *made;

	if (rec->consumer_id[0] == '\0' && rec->consumer_group_id[0] == '\0')
		return true;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return false;
	made->next = c->scopes;
	c->scopes = made;
	made->route_id = strdup(rec->route_id);
	made->service_id = strdup(rec->service_id);
	return made->route_id != NULL && made->service_id != NULL;
}

/* snap_each_fn */
static bool take(void *arg, struct str id, uint64_t version, struct str record)
{
	struct engine_scopes *s = arg;
	Sluice__Record__PluginInstance *rec = sluice__record__plugin_instance__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	struct configured *c = NULL;

	(void)id;
	(void)version;
	if (rec != NULL && rec->enabled) {
		c = of_plugin(s, rec->name);
		s->is_short = c == NULL || !add_scope(c, rec);
	}
	if (rec != NULL)
		sluice__record__plugin_instance__free_unpacked(rec, NULL);
	return !s->is_short;
}

struct engine_scopes *engine_scopes_make(struct snap_view *view)
{
	struct engine_scopes *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	snap_each(view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, take, s);
	if (!s->is_short)
		return s;
	engine_scopes_free(s);
	return NULL;
}

static const struct configured *find(const struct engine_scopes *s, struct str plugin)
{
	const struct configured *c = s->first;

	while (c != NULL && !engine_scope_is_named(c->plugin, plugin))
		c = c->next;
	return c;
}

bool engine_scopes_has(const struct engine_scopes *s, struct str plugin)
{
	return find(s, plugin) != NULL;
}

bool engine_scopes_match(const struct engine_scopes *s, struct str plugin, struct str route_id,
		struct str service_id)
{
	const struct configured *c = find(s, plugin);

	if (c == NULL)
		return false;
	for (const struct scope *at = c->scopes; at != NULL; at = at->next) {
		bool has_route = at->route_id[0] == '\0' || str_eq(str_of(at->route_id), route_id);
		bool has_service = at->service_id[0] == '\0' ||
				   str_eq(str_of(at->service_id), service_id);

		if (has_route && has_service)
			return true;
	}
	return false;
}
