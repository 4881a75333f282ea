/* SPDX-License-Identifier: Apache-2.0 */
#include "control/feed_update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "control/entity.h"

struct changes {
	struct arena *arena;
	struct store_change *v;
	size_t n, cap;
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

static int note_all(struct changes *c, struct store_txn *t)
{
	struct store_change change = {.kind = 0};
	struct store_entity e;
	int r = STORE_E_NONE;

	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		char at[UUID_TEXT_BYTES] = "";

		change.kind = entity_def(i)->kind;
		while ((r = store_next(t, change.kind, at, &e)) == 0) {
			memcpy(at, e.id, sizeof(at));
			memcpy(change.id, e.id, sizeof(at));
			r = note(c, &change);
			if (r != 0)
				return r;
		}
		if (r < 0)
			return r;
	}
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

/* ---- the message ---- */

static void *loose(const void *p)
{
	return (void *)(uintptr_t)p;
}

static int add_resource(struct arena *a, const struct store_change *c, const struct store_entity *e,
		Sluice__Stream__V1__Resource **ret)
{
	Sluice__Stream__V1__Resource *m = arena_alloc(a, sizeof(*m));
	uint8_t *sha = arena_alloc(a, STORE_SHA_BYTES);

	if (m == NULL || sha == NULL)
		return -ENOMEM;
	sluice__stream__v1__resource__init(m);
	store_sha256(e->spec, sha);
	m->kind = c->kind;
	m->id = loose(c->id);
	m->version = e->version;
	m->spec_sha256 = (ProtobufCBinaryData){STORE_SHA_BYTES, sha};
	m->spec = (ProtobufCBinaryData){e->spec.n, loose(e->spec.p)};
	*ret = m;
	return 0;
}

static int add_removed(
		struct arena *a, const struct store_change *c, Sluice__Stream__V1__ResourceId **ret)
{
	Sluice__Stream__V1__ResourceId *m = arena_alloc(a, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	sluice__stream__v1__resource_id__init(m);
	m->kind = c->kind;
	m->id = loose(c->id);
	*ret = m;
	return 0;
}

static int fill(struct store_txn *t, const struct changes *c, Sluice__Stream__V1__Update *u)
{
	u->resources = arena_calloc(c->arena, (c->n + 1) * sizeof(void *));
	u->removed = arena_calloc(c->arena, (c->n + 1) * sizeof(void *));
	if (u->resources == NULL || u->removed == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		struct store_entity e;
		int r = store_get(t, c->v[i].kind, c->v[i].id, &e);

		if (r == 0)
			r = add_resource(c->arena, &c->v[i], &e, &u->resources[u->n_resources++]);
		else if (r == STORE_E_NONE)
			r = add_removed(c->arena, &c->v[i], &u->removed[u->n_removed++]);
		if (r != 0)
			return r;
	}
	return 0;
}

static int collect(struct store_txn *t, uint64_t *base, struct changes *c)
{
	int r = *base != 0 ? store_changes(t, *base, note, c) : STORE_E_NONE;

	if (r == STORE_E_NONE) {
		*base = 0;
		c->n = 0;
		r = note_all(c, t);
	}
	fold(c);
	return r;
}

int feed_update_send(
		struct feed_node *n, struct store *store, uint64_t base, struct feed_update *ret)
{
	Sluice__Stream__V1__ControlMessage m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;
	Sluice__Stream__V1__Update u = SLUICE__STREAM__V1__UPDATE__INIT;
	uint8_t digest[STORE_SHA_BYTES];
	sl_auto(store_txn) t = NULL;
	sl_auto(arena) a = NULL;
	struct changes c = {.arena = NULL};
	int r = arena_new(&a, 0);

	c.arena = a;
	if (r == 0)
		r = store_begin(store, false, &t, NULL);
	if (r == 0)
		r = collect(t, &base, &c);
	if (r == 0)
		r = fill(t, &c, &u);
	if (r == 0)
		r = store_digest(t, digest);
	if (r != 0)
		return r;
	random_bytes(n->nonce, sizeof(n->nonce));
	u.nonce = (ProtobufCBinaryData){sizeof(n->nonce), n->nonce};
	u.epoch = (ProtobufCBinaryData){STORE_EPOCH_BYTES, loose(store_epoch(store))};
	u.base_generation = base;
	u.generation = store_txn_generation(t);
	u.digest_after = (ProtobufCBinaryData){sizeof(digest), digest};
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE;
	m.update = &u;
	*ret = (struct feed_update){base, u.generation, u.n_resources, u.n_removed};
	return stream_peer_send(n->peer, &m);
}
