/* SPDX-License-Identifier: Apache-2.0 */
#include "master/wants.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"
#include "stream/digest.h"

struct want {
	uint32_t refs;
	uint32_t kind;
	uint8_t spec_sha256[32];
	char id[];
};

struct wants {
	size_t n;
	struct want *entries[];
};

static int compare(uint32_t kind_a, const char *id_a, uint32_t kind_b, const char *id_b)
{
	if (kind_a != kind_b)
		return kind_a < kind_b ? -1 : 1;
	return strcmp(id_a, id_b);
}

int want_change_cmp(const void *a, const void *b)
{
	const struct want_change *x = a, *y = b;

	return compare(x->kind, x->id, y->kind, y->id);
}

static struct want *want_new(const struct want_change *c)
{
	size_t n = strlen(c->id) + 1;
	struct want *e = malloc(sizeof(*e) + n);

	if (e == NULL)
		return NULL;
	e->refs = 1;
	e->kind = c->kind;
	memcpy(e->spec_sha256, c->spec_sha256, sizeof(e->spec_sha256));
	memcpy(e->id, c->id, n);
	return e;
}

static struct wants *wants_alloc(size_t room)
{
	struct wants *w = malloc(sizeof(*w) + (room + 1) * sizeof(w->entries[0]));

	if (w != NULL)
		w->n = 0;
	return w;
}

void wants_free(struct wants *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->n; i++) {
		if (--w->entries[i]->refs == 0)
			free(w->entries[i]);
	}
	free(w);
}

static void keep(struct wants *w, struct want *e)
{
	e->refs++;
	w->entries[w->n++] = e;
}

static int add_change(struct wants *w, const struct want_change *c)
{
	struct want *e;

	if (c->spec_sha256 == NULL)
		return 0;
	e = want_new(c);
	if (e == NULL)
		return -ENOMEM;
	w->entries[w->n++] = e;
	return 0;
}

int wants_apply(struct wants **ret, const struct wants *base, const struct want_change *changes,
		size_t n)
{
	size_t n_base = base != NULL ? base->n : 0, at = 0;
	sl_auto(wants) w = wants_alloc(n_base + n);

	if (w == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct want_change *c = &changes[i];

		while (at < n_base && compare(base->entries[at]->kind, base->entries[at]->id,
						      c->kind, c->id) < 0)
			keep(w, base->entries[at++]);
		if (at < n_base && compare(base->entries[at]->kind, base->entries[at]->id, c->kind,
						   c->id) == 0)
			at++;
		if (add_change(w, c) < 0)
			return -ENOMEM;
	}
	while (at < n_base)
		keep(w, base->entries[at++]);
	*ret = sl_steal(w);
	return 0;
}

struct load {
	struct wants *w;
	uint32_t kind;
	bool is_failed;
};

/* The spec's hash as control sent it: a plugin's record was completed by this node. */
static bool spec_hash(uint32_t kind, struct str record, uint8_t ret[32])
{
	Sluice__Record__PluginCode *code;
	bool is_known;

	if (kind != SLUICE__RECORD__KIND__PLUGIN_CODE) {
		SHA256((const uint8_t *)record.p, record.n, ret);
		return true;
	}
	code = sluice__record__plugin_code__unpack(NULL, record.n, (const uint8_t *)record.p);
	is_known = code != NULL && code->spec_sha256.len == 32;
	if (is_known)
		memcpy(ret, code->spec_sha256.data, 32);
	sluice__record__plugin_code__free_unpacked(code, NULL);
	return is_known;
}

static bool load_record(void *arg, struct str id, uint64_t version, struct str record)
{
	struct load *l = arg;
	char id_z[WANT_ID_MAX + 1];
	uint8_t sha[32];
	struct want_change c = {l->kind, id_z, sha};

	(void)version;
	if (id.n > WANT_ID_MAX)
		return true;
	memcpy(id_z, id.p, id.n);
	id_z[id.n] = '\0';
	if (spec_hash(l->kind, record, sha) && add_change(l->w, &c) < 0)
		l->is_failed = true;
	return !l->is_failed;
}

int wants_load(struct wants **ret, const struct snap_view *view)
{
	size_t room = 0;
	sl_auto(wants) w = NULL;
	struct load l = {.kind = 1};

	for (uint32_t kind = 1; kind <= SLUICE__RECORD__KIND__CONSUMER; kind++)
		room += snap_count(view, kind);
	w = wants_alloc(room);
	l.w = w;
	if (w == NULL)
		return -ENOMEM;
	for (; l.kind <= SLUICE__RECORD__KIND__CONSUMER; l.kind++)
		snap_each(view, l.kind, load_record, &l);
	if (l.is_failed)
		return -ENOMEM;
	*ret = sl_steal(w);
	return 0;
}

int wants_digest(const struct wants *w, uint8_t ret[32])
{
	sl_auto(stream_digest) d = NULL;
	int r = stream_digest_new(&d);

	if (r < 0)
		return r;
	for (size_t i = 0; i < w->n; i++) {
		r = stream_digest_add(d, w->entries[i]->kind, w->entries[i]->id,
				w->entries[i]->spec_sha256);
		sl_assert(r == 0); /* sorted by construction */
	}
	stream_digest_end(d, ret);
	return 0;
}

size_t wants_count(const struct wants *w)
{
	return w->n;
}
