/* SPDX-License-Identifier: Apache-2.0 */
#include "control/feed_update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define PART_BYTES_MAX ((size_t)256 << 10)
#define PART_RESOURCES_MAX 2048
#define RESOURCE_OVERHEAD 96           /* id, hash, version and their tags */
#define QUEUED_MAX ((size_t)512 << 10) /* above what makes `drained` come */

struct changes {
	struct arena *arena;
	struct store_change *v;
	size_t n, cap;
};

struct feed_update {
	struct feed_node *node;
	struct store *store;
	struct store_txn *txn;
	struct arena *arena, *part_arena;
	struct feed_update_facts facts;
	/* a full one: where the walk stands */
	uint8_t kind;
	char id[UUID_TEXT_BYTES];
	/* a delta: */
	struct changes changes;
	size_t at;
	int round; /* 0: removals */
};

struct part {
	struct arena *arena;
	Sluice__Stream__V1__Resource **resources;
	Sluice__Stream__V1__ResourceId **removed;
	size_t resources_n, removed_n, bytes;
};

/* ---- which entities ---- */

static int note(void *arg, const struct store_change *change)
{
	struct changes *c = arg;

	if (c->n == c->cap) {
		size_t cap = c->cap != 0 ? 2 * c->cap : 64;
		struct store_change *v =
				arena_grow(c->arena, c->v, c->cap * sizeof(*v), cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = *change;
	return 0;
}

static int change_order(const void *a, const void *b)
{
	const struct store_change *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->id, y->id);
}

/* Each entity once: what it is now decides, not what happened to it. */
static void fold(struct changes *c)
{
	size_t out = 0;

	if (c->n != 0)
		qsort(c->v, c->n, sizeof(c->v[0]), change_order);
	for (size_t i = 0; i < c->n; i++) {
		if (out == 0 || change_order(&c->v[out - 1], &c->v[i]) != 0)
			c->v[out++] = c->v[i];
	}
	c->n = out;
}

static int collect(struct feed_update *u)
{
	int r = u->facts.base != 0 ? store_changes(u->txn, u->facts.base, note, &u->changes)
				   : STORE_E_NONE;

	if (r == STORE_E_NONE) {
		u->facts.base = 0;
		u->changes.n = 0;
		return 0;
	}
	fold(&u->changes);
	return r;
}

/* ---- one part ---- */

static void *loose(const void *p)
{
	return (void *)(uintptr_t)p;
}

static int add_resource(struct part *p, uint8_t kind, const struct store_entity *e)
{
	Sluice__Stream__V1__Resource *m = arena_alloc(p->arena, sizeof(*m));
	uint8_t *sha = arena_alloc(p->arena, STORE_SHA_BYTES);
	char *id = arena_strndup(p->arena, e->id, strlen(e->id));

	if (m == NULL || sha == NULL || id == NULL)
		return -ENOMEM;
	sluice__stream__v1__resource__init(m);
	store_sha256(e->spec, sha);
	m->kind = kind;
	m->id = id;
	m->version = e->version;
	m->spec_sha256 = (ProtobufCBinaryData){STORE_SHA_BYTES, sha};
	m->spec = (ProtobufCBinaryData){e->spec.n, loose(e->spec.p)};
	p->resources[p->resources_n++] = m;
	p->bytes += e->spec.n + RESOURCE_OVERHEAD;
	return 0;
}

static int add_removed(struct part *p, const struct store_change *c)
{
	Sluice__Stream__V1__ResourceId *m = arena_alloc(p->arena, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	sluice__stream__v1__resource_id__init(m);
	m->kind = c->kind;
	m->id = loose(c->id);
	p->removed[p->removed_n++] = m;
	p->bytes += RESOURCE_OVERHEAD;
	return 0;
}

static bool is_full_part(const struct part *p, size_t next_bytes)
{
	size_t n = p->resources_n + p->removed_n;

	return n == PART_RESOURCES_MAX || (n != 0 && p->bytes + next_bytes > PART_BYTES_MAX);
}

/* false in *ret_more: there is nothing behind this part. */
static int fill_full(struct feed_update *u, struct part *p, bool *ret_more)
{
	struct store_entity e;
	uint8_t kind;
	int r;

	while ((r = store_walk(u->txn, u->kind, u->id, &kind, &e)) == 0) {
		*ret_more = is_full_part(p, e.spec.n);
		if (*ret_more)
			return 0;
		r = add_resource(p, kind, &e);
		if (r != 0)
			return r;
		u->kind = kind;
		memcpy(u->id, e.id, sizeof(u->id));
	}
	return r == STORE_E_NONE ? 0 : r;
}

/* What is gone first, then what is there: a name may have moved from one to the other. */
static int fill_delta(struct feed_update *u, struct part *p, bool *ret_more)
{
	for (; u->round < 2; u->round++, u->at = 0) {
		for (; u->at < u->changes.n; u->at++) {
			const struct store_change *c = &u->changes.v[u->at];
			struct store_entity e = {.spec = STR_NONE};
			int r = store_get(u->txn, c->kind, c->id, &e);

			if (r < 0)
				return r;
			if ((r == STORE_E_NONE) != (u->round == 0))
				continue;
			*ret_more = is_full_part(p, e.spec.n);
			if (*ret_more)
				return 0;
			r = r == STORE_E_NONE ? add_removed(p, c) : add_resource(p, c->kind, &e);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static int send_part(struct feed_update *u, const struct part *p, bool has_more)
{
	Sluice__Stream__V1__ControlMessage m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;
	Sluice__Stream__V1__Update x = SLUICE__STREAM__V1__UPDATE__INIT;
	uint8_t digest[STORE_SHA_BYTES];

	store_digest(u->txn, digest);
	x.nonce = (ProtobufCBinaryData){sizeof(u->node->nonce), u->node->nonce};
	x.epoch = (ProtobufCBinaryData){STORE_EPOCH_BYTES, loose(store_epoch(u->store))};
	x.base_generation = u->facts.base;
	x.generation = u->facts.generation;
	x.resources = loose(p->resources);
	x.n_resources = p->resources_n;
	x.removed = loose(p->removed);
	x.n_removed = p->removed_n;
	if (!has_more)
		x.digest_after = (ProtobufCBinaryData){sizeof(digest), digest};
	x.part = u->facts.parts_n;
	x.has_more = has_more;
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE;
	m.update = &x;
	return stream_peer_send(u->node->peer, &m);
}

/* What is not named in the Ack will be active. */
static void forget_verdicts(struct feed_update *u, const struct part *p)
{
	if (u->facts.base == 0 && u->facts.parts_n == 0)
		feed_node_forget(u->node, 0, NULL);
	for (size_t i = 0; u->facts.base != 0 && i < p->resources_n; i++)
		feed_node_forget(u->node, p->resources[i]->kind, p->resources[i]->id);
	for (size_t i = 0; u->facts.base != 0 && i < p->removed_n; i++)
		feed_node_forget(u->node, p->removed[i]->kind, p->removed[i]->id);
}

static int make_part(struct feed_update *u)
{
	struct part p = {.bytes = 0};
	bool has_more = false;
	int r;

	arena_clear(u->part_arena);
	p.arena = u->part_arena;
	p.resources = arena_alloc(p.arena, PART_RESOURCES_MAX * sizeof(*p.resources));
	p.removed = arena_alloc(p.arena, PART_RESOURCES_MAX * sizeof(*p.removed));
	if (p.resources == NULL || p.removed == NULL)
		return -ENOMEM;
	r = u->facts.base == 0 ? fill_full(u, &p, &has_more) : fill_delta(u, &p, &has_more);
	if (r == 0)
		r = send_part(u, &p, has_more);
	if (r != 0)
		return r;
	if (has_more || u->facts.parts_n != 0)
		forget_verdicts(u, &p);
	u->facts.parts_n++;
	u->facts.resources_n += p.resources_n;
	u->facts.removed_n += p.removed_n;
	return has_more ? 0 : 1;
}

/* ---- the whole ---- */

int feed_update_new(
		struct feed_update **ret, struct feed_node *n, struct store *store, uint64_t base)
{
	sl_auto(feed_update) u = calloc(1, sizeof(*u));
	int r = u == NULL ? -ENOMEM : arena_new(&u->arena, 0);

	if (r == 0)
		r = arena_new(&u->part_arena, 0);
	if (r == 0)
		r = store_begin(store, false, &u->txn, NULL);
	if (r != 0)
		return r;
	u->node = n;
	u->store = store;
	u->changes.arena = u->arena;
	u->facts.base = base;
	u->facts.generation = store_txn_generation(u->txn);
	r = collect(u);
	if (r != 0)
		return r;
	random_bytes(n->nonce, sizeof(n->nonce));
	*ret = sl_steal(u);
	return 0;
}

void feed_update_free(struct feed_update *u)
{
	if (u == NULL)
		return;
	store_txn_free(u->txn);
	arena_free(u->part_arena);
	arena_free(u->arena);
	free(u);
}

int feed_update_send(struct feed_update *u)
{
	int r = 0;

	while (r == 0 && stream_peer_queued(u->node->peer) < QUEUED_MAX)
		r = make_part(u);
	return r;
}

struct feed_update_facts feed_update_facts(const struct feed_update *u)
{
	return u->facts;
}
