/* SPDX-License-Identifier: Apache-2.0 */
#include "master/plan.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "master/intake.h"
#include "master/wanted.h"
#include "stream/digest.h"

#define NONCE_MAX 64
#define EPOCH_MAX 64
#define PLUGIN_NAME_MAX 128

typedef Sluice__Stream__V1__Update Update;
typedef Sluice__Stream__V1__Resource Resource;

/* ---- rejecting one resource ---- */

void plan_reject_why(struct plan_item *item, const char *error_code, const struct why *why)
{
	if (item->state == PLAN_REJECTED)
		return;
	item->state = PLAN_REJECTED;
	item->code = error_code;
	item->why = malloc(sizeof(*item->why));
	if (item->why != NULL)
		*item->why = *why;
}

void plan_reject(struct plan_item *item, const char *error_code, const char *file, int line,
		const char *fmt, ...)
{
	struct why why = WHY_NONE;
	char text[sizeof(why.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why_set(&why, file, line, "%s", text);
	plan_reject_why(item, error_code, &why);
}

/* ---- each resource by itself ---- */

static struct str binary(const ProtobufCBinaryData *d)
{
	return (struct str){(const char *)d->data, d->len};
}

static bool is_version_hash_right(const Sluice__Record__PluginCode *c)
{
	uint8_t both[64], sha256[32];

	if (c->handler_sha256.len != 32 || c->schema_sha256.len != 32 ||
			c->version_sha256.len != 32)
		return false;
	memcpy(both, c->handler_sha256.data, 32);
	memcpy(both + 32, c->schema_sha256.data, 32);
	SHA256(both, sizeof(both), sha256);
	return memcmp(sha256, c->version_sha256.data, 32) == 0;
}

static void inspect_plugin(struct plan_item *item, uint64_t source_bytes_max)
{
	const Sluice__Record__PluginCode *c = item->plugin;

	if (c->name[0] == '\0' || strlen(c->name) > PLUGIN_NAME_MAX)
		plan_reject(item, "format", NULL, 0, "a plugin's name has 1 to %d bytes",
				PLUGIN_NAME_MAX);
	else if (!is_version_hash_right(c))
		plan_reject(item, "hash", NULL, 0,
				"version_sha256 is not the hash of handler_sha256 and "
				"schema_sha256");
	else if (c->handler_bytes > source_bytes_max)
		plan_reject(item, "too_big", "handler.lua", 0,
				"%u bytes; plugin_limits.source_kb allows %llu", c->handler_bytes,
				(unsigned long long)source_bytes_max);
	else if (c->schema_bytes > source_bytes_max)
		plan_reject(item, "too_big", "schema.lua", 0,
				"%u bytes; plugin_limits.source_kb allows %llu", c->schema_bytes,
				(unsigned long long)source_bytes_max);
}

static bool parse_spec(struct plan_item *item)
{
	const uint8_t *p = (const uint8_t *)item->spec.p;

	switch (item->kind) {
	case SLUICE__RECORD__KIND__PLUGIN_CODE:
		item->plugin = sluice__record__plugin_code__unpack(NULL, item->spec.n, p);
		return item->plugin != NULL && strcmp(item->plugin->id, item->id) == 0;
	case SLUICE__RECORD__KIND__PLUGIN_INSTANCE:
		item->instance = sluice__record__plugin_instance__unpack(NULL, item->spec.n, p);
		return item->instance != NULL && strcmp(item->instance->id, item->id) == 0;
	default:
		return true; /* the writer parses what it indexes */
	}
}

static bool is_known(uint32_t kind)
{
	return protobuf_c_enum_descriptor_get_value(&sluice__record__kind__descriptor, (int)kind) !=
	       NULL;
}

/* snap_refusal_fn */
static bool look_for_known(void *arg, uint32_t kind, const struct snap_refusal *refusal)
{
	bool *is_found = arg;

	*is_found = str_eq(refusal->code, STR("format")) && is_known(kind);
	return !*is_found;
}

bool plan_may_know_better(const struct snap_view *held)
{
	bool is_found = false;

	snap_each_refusal(held, look_for_known, &is_found);
	return is_found;
}

void plan_inspect(struct plan_item *item, uint64_t source_bytes_max)
{
	uint8_t sha256[32];

	SHA256((const uint8_t *)item->spec.p, item->spec.n, sha256);
	if (memcmp(sha256, item->spec_sha256, sizeof(sha256)) != 0)
		plan_reject(item, "hash", NULL, 0, "spec does not have its announced hash");
	else if (item->kind == 0 || !is_known(item->kind))
		plan_reject(item, "format", NULL, 0,
				"this node (%s) does not know resources of kind %u",
				PACKAGE_VERSION, item->kind);
	else if (!parse_spec(item))
		plan_reject(item, "format", NULL, 0, "spec is not a record with this id");
	else if (item->plugin != NULL)
		inspect_plugin(item, source_bytes_max);
}

/* ---- the Update as a whole ---- */

int plan_refuse(const char **ret_refused_for, const char *reason, struct why *why, const char *text)
{
	*ret_refused_for = reason;
	why_set(why, NULL, 0, "%s", text);
	return -EINVAL;
}

static bool is_id(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= PLAN_ID_MAX;
}

bool plan_is_well_formed(const Update *u)
{
	if (u->nonce.len > NONCE_MAX || u->epoch.len == 0 || u->epoch.len > EPOCH_MAX ||
			u->generation == 0 || (u->digest_after.len != 32 && !u->has_more))
		return false;
	for (size_t i = 0; i < u->n_resources; i++) {
		const Resource *r = u->resources[i];

		if (!is_id(r->id) || r->spec_sha256.len != 32 || r->kind == 0 || r->kind > 255)
			return false;
	}
	for (size_t i = 0; i < u->n_removed; i++) {
		if (!is_id(u->removed[i]->id) || u->removed[i]->kind == 0 ||
				u->removed[i]->kind > 255)
			return false;
	}
	return u->base_generation == 0 ? u->n_removed == 0 : u->base_generation <= u->generation;
}

static int judge_order(const Update *u, const struct snap_view *held, const char **refused_for,
		struct why *why)
{
	uint64_t generation = held != NULL ? snap_view_generation(held) : 0;
	bool is_same_epoch = held != NULL && str_eq(binary(&u->epoch), snap_view_epoch(held));

	if (is_same_epoch && u->generation < generation) {
		why_set(why, NULL, 0, "generation %llu is older than the node's %llu",
				(unsigned long long)u->generation, (unsigned long long)generation);
		*refused_for = "rollback";
		return -EINVAL;
	}
	if (u->base_generation != 0 && (!is_same_epoch || u->base_generation != generation))
		return plan_refuse(refused_for, "base", why,
				"a delta against another generation than the node's");
	return 0;
}

static int judge_header(struct plan *p, const struct plan_base *base, const char **refused_for,
		struct why *why)
{
	if (!plan_is_well_formed(p->update))
		return plan_refuse(refused_for, "malformed", why,
				"a field is missing or has an impossible size");
	p->is_full = p->update->base_generation == 0;
	return judge_order(p->update, base->held, refused_for, why);
}

int plan_item_cmp(const void *a, const void *b)
{
	const struct plan_item *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->id, y->id);
}

static bool collect_items(struct plan *p)
{
	const Update *u = p->update;

	p->n_resources = u->n_resources;
	p->n_removed = u->n_removed;
	p->items = calloc(u->n_resources + u->n_removed + 1, sizeof(*p->items));
	if (p->items == NULL)
		return false;
	for (size_t i = 0; i < u->n_resources; i++) {
		const Resource *r = u->resources[i];

		p->items[p->n++] = (struct plan_item){.kind = r->kind,
				.id = r->id,
				.version = r->version,
				.spec = binary(&r->spec),
				.spec_sha256 = r->spec_sha256.data};
	}
	for (size_t i = 0; i < u->n_removed; i++)
		p->items[p->n++] = (struct plan_item){.kind = u->removed[i]->kind,
				.id = u->removed[i]->id,
				.state = PLAN_REMOVED};
	qsort(p->items, p->n, sizeof(*p->items), plan_item_cmp);
	return true;
}

static bool has_twice(const struct plan *p)
{
	for (size_t i = 1; i < p->n; i++) {
		if (plan_item_cmp(&p->items[i - 1], &p->items[i]) == 0)
			return true;
	}
	return false;
}

/* The digest of what control wants after this Update is what control says it is. */
static bool is_digest_right(const struct plan *p, const struct snap_view *held)
{
	struct str known = held != NULL && !p->is_full ? snap_view_digest(held) : STR_NONE;
	struct stream_digest digest = {{0}};
	uint8_t old[32];

	if (known.n == sizeof(digest.sum))
		memcpy(digest.sum, known.p, known.n);
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_item *item = &p->items[i];

		if (!p->is_full && wanted_in_view(held, item->kind, item->id, old))
			stream_digest_remove(&digest, item->kind, item->id, old);
		if (item->state != PLAN_REMOVED)
			stream_digest_add(&digest, item->kind, item->id, item->spec_sha256);
	}
	return memcmp(digest.sum, p->update->digest_after.data, sizeof(digest.sum)) == 0;
}

static int fill(struct plan *p, const struct plan_base *base, const char **refused_for,
		struct why *why)
{
	int r = judge_header(p, base, refused_for, why);

	if (r < 0)
		return r;
	if (p->update->has_more)
		return plan_refuse(refused_for, "malformed", why, "a part, not a whole Update");
	if (!collect_items(p))
		return -ENOMEM;
	if (has_twice(p))
		return plan_refuse(refused_for, "malformed", why, "a resource is named twice");
	if (!is_digest_right(p, base->held))
		return plan_refuse(refused_for, "digest", why,
				"what the Update leads to does not have its announced digest");
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].state == PLAN_PENDING)
			plan_inspect(&p->items[i], base->source_bytes_max);
	}
	return 0;
}

static int plan_start(struct plan **ret, const Update *update, struct why *why)
{
	sl_auto(plan) p = calloc(1, sizeof(*p));
	size_t n = sluice__stream__v1__update__get_packed_size(update);
	sl_auto_mem uint8_t *bytes = malloc(n + 1);

	if (p == NULL || bytes == NULL)
		return why_errno(why, ENOMEM, "Update");
	p->started_ms = clock_mono_ms();
	sluice__stream__v1__update__pack(update, bytes);
	p->update = sluice__stream__v1__update__unpack(NULL, n, bytes);
	if (p->update == NULL)
		return why_errno(why, ENOMEM, "Update");
	*ret = sl_steal(p);
	return 0;
}

int plan_new(struct plan **ret, const Update *update, const struct plan_base *base,
		const char **ret_refused_for, struct why *why)
{
	sl_auto(plan) p = NULL;
	int r = plan_start(&p, update, why);

	if (r == 0)
		r = fill(p, base, ret_refused_for, why);
	if (r == -ENOMEM)
		return why_errno(why, ENOMEM, "Update");
	if (r < 0)
		return r;
	*ret = sl_steal(p);
	return 0;
}

int plan_new_in_parts(struct plan **ret, const Update *update, const struct plan_base *base,
		const char **ret_refused_for, struct why *why)
{
	sl_auto(plan) p = NULL;
	Update header = *update;
	int r;

	header.n_resources = header.n_removed = 0;
	r = plan_start(&p, &header, why);
	if (r == 0)
		r = judge_header(p, base, ret_refused_for, why);
	if (r < 0)
		return r;
	*ret = sl_steal(p);
	return 0;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].why);
		sluice__record__plugin_code__free_unpacked(p->items[i].plugin, NULL);
		sluice__record__plugin_instance__free_unpacked(p->items[i].instance, NULL);
	}
	free(p->items);
	intake_free(p->intake);
	sluice__stream__v1__update__free_unpacked(p->update, NULL);
	free(p);
}

struct plan_item *plan_find(const struct plan *p, uint32_t kind, const char *id)
{
	const struct plan_item key = {.kind = kind, .id = id};

	return bsearch(&key, p->items, p->n, sizeof(key), plan_item_cmp);
}

/* Many instances ask; code stands together. */
static size_t first_of_code(const struct plan *p)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->items[middle].kind < SLUICE__RECORD__KIND__PLUGIN_CODE)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct plan_item *plan_find_plugin(const struct plan *p, const char *name)
{
	for (size_t i = first_of_code(p); i < p->n; i++) {
		const Sluice__Record__PluginCode *c = p->items[i].plugin;

		if (p->items[i].kind != SLUICE__RECORD__KIND__PLUGIN_CODE)
			break;
		if (c != NULL && strcmp(c->name, name) == 0)
			return &p->items[i];
	}
	return NULL;
}

bool plan_has_misfits(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_item *item = &p->items[i];

		if (item->state == PLAN_REJECTED &&
				(strcmp(item->code, "reference") == 0 ||
						(item->instance != NULL &&
								strcmp(item->code, "config") == 0)))
			return true;
	}
	return false;
}

bool plan_may_heal(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].state == PLAN_ACCEPTED &&
				p->items[i].kind != SLUICE__RECORD__KIND__PLUGIN_INSTANCE)
			return true;
	}
	return false;
}
