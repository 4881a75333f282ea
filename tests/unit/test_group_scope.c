/* SPDX-License-Identifier: Apache-2.0
 *
 * Which instance of a plugin applies, with every combination of scopes configured, against a
 * model that is nothing but the table of the contract.
 */
#include "tests/unit/engine_bench.h"

#include "plugin/plan.h"
#include "tests/unit/snap_fixture.h"

enum part { BY_ROUTE = 1, BY_SERVICE = 2, BY_CONSUMER = 4, BY_GROUP = 8 };

/* The contract's: the first that there is wins.  One plugin for every subset of these rows. */
static const unsigned precedence[] = {BY_CONSUMER | BY_ROUTE | BY_SERVICE,
		BY_GROUP | BY_SERVICE | BY_ROUTE, BY_CONSUMER | BY_ROUTE, BY_CONSUMER | BY_SERVICE,
		BY_GROUP | BY_ROUTE, BY_GROUP | BY_SERVICE, BY_ROUTE | BY_SERVICE, BY_CONSUMER,
		BY_GROUP, BY_ROUTE, BY_SERVICE, 0};
#define LEVELS (sizeof(precedence) / sizeof(precedence[0]))
#define PLUGINS (1U << LEVELS)

/* By name "alpha" is first, by id "g-1". */
static struct entity_ref alpha, beta;

struct asked {
	const char *route, *service, *consumer;
	bool is_alpha, is_beta;
};

/* Which groups have an instance at that level: 1 alpha, 2 beta, 3 both; and which parts the
 * plugin's schema has as always null.  Spread, the same every time. */
static unsigned spread(unsigned plugin, unsigned level)
{
	return (plugin * 2654435761U ^ (level + 1) * 2246822519U) >> 13;
}

static unsigned groups_at(unsigned plugin, unsigned level)
{
	return 1 + spread(plugin, level) % 3;
}

static unsigned ignored(unsigned plugin)
{
	return plugin % 3 == 0 ? spread(plugin, 99) % 16 : 0;
}

static void id_of(char *id, size_t size, unsigned plugin, unsigned level, const char *group)
{
	snprintf(id, size, "i-%u-%u-%s", plugin, level, group);
}

/* ---- the configuration ---- */

static void put_code(struct snap_txn *t, unsigned plugin, uint8_t sha[32])
{
	static const char *const parts[] = {"route", "service", "consumer", "consumer_group"};
	Sluice__Record__PluginCode code = SLUICE__RECORD__PLUGIN_CODE__INIT;
	char name[32], schema[400], *at = schema;

	snprintf(name, sizeof(name), "p-%u", plugin);
	at += sprintf(at, "{\"fields\":[{\"config\":{\"type\":\"record\",\"fields\":[]}}");
	for (unsigned i = 0; i < 4; i++)
		if ((ignored(plugin) & 1U << i) != 0)
			at += sprintf(at, ",{\"%s\":{\"type\":\"foreign\",\"eq\":null}}", parts[i]);
	strcpy(at, "]}");
	code.id = code.name = name;
	code.version_sha256 = code.handler_sha256 = (ProtobufCBinaryData){32, sha};
	code.phases = PHASE_BIT(PHASE_ACCESS);
	code.schema_json = (ProtobufCBinaryData){strlen(schema), (uint8_t *)schema};
	assert_int_equal(put_message(t, CODE, name, 1, &code.base), 0);
}

static void put_instance(
		struct snap_txn *t, unsigned plugin, unsigned level, const struct entity_ref *group)
{
	Sluice__Record__PluginInstance i = SLUICE__RECORD__PLUGIN_INSTANCE__INIT;
	unsigned scope = precedence[level];
	static char r[] = "r", s[] = "s", c[] = "c";
	char id[64], name[32];

	id_of(id, sizeof(id), plugin, level, group != NULL ? group->name.p : "");
	snprintf(name, sizeof(name), "p-%u", plugin);
	i.id = id;
	i.name = name;
	i.enabled = true;
	if ((scope & BY_ROUTE) != 0)
		i.route_id = r;
	if ((scope & BY_SERVICE) != 0)
		i.service_id = s;
	if ((scope & BY_CONSUMER) != 0)
		i.consumer_id = c;
	if (group != NULL)
		i.consumer_id = i.consumer_group_id = (char *)(uintptr_t)group->id.p;
	assert_int_equal(put_message(t, INSTANCE, id, 1, &i.base), 0);
}

static void put_all(struct snap_txn *t, unsigned plugin, uint8_t sha[32])
{
	put_code(t, plugin, sha);
	for (unsigned level = 0; level < LEVELS; level++) {
		bool is_group = (precedence[level] & BY_GROUP) != 0;

		if ((plugin & 1U << level) == 0)
			continue;
		if (!is_group)
			put_instance(t, plugin, level, NULL);
		if (is_group && (groups_at(plugin, level) & 1) != 0)
			put_instance(t, plugin, level, &alpha);
		if (is_group && (groups_at(plugin, level) & 2) != 0)
			put_instance(t, plugin, level, &beta);
	}
}

/* ---- the model ---- */

static bool takes(unsigned plugin, unsigned level, const struct asked *a)
{
	unsigned scope = precedence[level], has = 0;

	has |= a->route[0] != '\0' ? BY_ROUTE : 0;
	has |= a->service[0] != '\0' ? BY_SERVICE : 0;
	has |= strcmp(a->consumer, "c") == 0 ? BY_CONSUMER : 0;
	has |= a->is_alpha || a->is_beta ? BY_GROUP : 0;
	return (plugin & 1U << level) != 0 && (scope & ~(has & ~ignored(plugin))) == 0;
}

static void expect(unsigned plugin, const struct asked *a, char *id, size_t size)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		unsigned groups = groups_at(plugin, level);

		if (!takes(plugin, level, a))
			continue;
		if ((precedence[level] & BY_GROUP) == 0)
			id_of(id, size, plugin, level, "");
		else if (a->is_alpha && (groups & 1) != 0)
			id_of(id, size, plugin, level, "alpha");
		else if (a->is_beta && (groups & 2) != 0)
			id_of(id, size, plugin, level, "beta");
		else
			continue;
		return;
	}
	snprintf(id, size, "none");
}

/* ---- both ---- */

static unsigned number_of(const struct plan_entry *entry)
{
	return (unsigned)strtoul(entry->version->name + 2, NULL, 10);
}

static void compare(struct bench *b, const struct asked *a)
{
	struct plan *p = engine_plan(b->engine, str_of(a->route), str_of(a->service));
	struct entity_ref list[2];
	struct group_list groups = {.v = list};
	struct plan_who who = {.consumer_id = str_of(a->consumer), .groups = &groups};
	static bool is_planned[PLUGINS];
	char id[64];

	if (a->is_alpha)
		list[groups.n++] = alpha;
	if (a->is_beta)
		list[groups.n++] = beta;
	memset(is_planned, 0, sizeof(is_planned));
	for (uint32_t i = 0; i < p->n; i++) {
		const struct engine_instance *got =
				plan_resolve(p, &p->v[i], engine_view(b->engine), &who);

		expect(number_of(&p->v[i]), a, id, sizeof(id));
		is_planned[number_of(&p->v[i])] = true;
		assert_string_equal(got != NULL ? got->id : "none", id);
	}
	for (unsigned plugin = 0; plugin < PLUGINS; plugin++) {
		expect(plugin, a, id, sizeof(id));
		assert_true(is_planned[plugin] || strcmp(id, "none") == 0);
	}
	plan_unref(p);
}

static void every_combination_of_scopes_resolves_as_the_contract_says(void **state)
{
	static const char *const consumers[] = {"", "c", "other"};
	struct bench *b = *state;
	struct snap_txn *t;
	struct snap_view *view;
	uint8_t sha[32] = {1};

	alpha = (struct entity_ref){.id = STR("g-9"), .name = STR("alpha")};
	beta = (struct entity_ref){.id = STR("g-1"), .name = STR("beta")};
	t = begin(b->writer);
	for (unsigned plugin = 0; plugin < PLUGINS; plugin++)
		put_all(t, plugin, sha);
	commit(t, ++b->generation);
	view = view_of(b->writer);
	engine_set_view(b->engine, view, NULL, NULL);
	snap_view_unref(view);
	for (unsigned i = 0; i < 48; i++)
		compare(b, &(struct asked){.route = (i & 1) != 0 ? "r" : "",
					   .service = (i & 2) != 0 ? "s" : "",
					   .consumer = consumers[i / 16],
					   .is_alpha = (i & 4) != 0,
					   .is_beta = (i & 8) != 0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(every_combination_of_scopes_resolves_as_the_contract_says),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
