/* SPDX-License-Identifier: Apache-2.0 */
#include "master/intake.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "master/apply.h"
#include "master/wanted.h"

/* A control plane that sends this much is broken; the node has to stay alive. */
#define KEPT_BYTES_MAX ((size_t)256 << 20)
#define REJECTED_MAX 10000

typedef Sluice__Stream__V1__Update Update;
typedef Sluice__Stream__V1__Resource Resource;

void intake_free(struct intake *in)
{
	if (in == NULL)
		return;
	snap_txn_free(in->txn);
	snap_view_unref(in->held);
	arena_free(in->kept);
	free(in);
}

static int begin(struct intake *in, const struct plan *p, struct snapshot_writer *w,
		const struct plan_base *base, struct why *why)
{
	struct str digest;
	int r = arena_new(&in->kept, KEPT_BYTES_MAX);

	if (r == 0)
		r = snapshot_writer_view(w, &in->held, why);
	if (r == 0 || r == SNAP_E_NONE_YET)
		r = snap_txn_begin(w, &in->txn, why);
	if (r == 0 && p->is_full)
		r = snap_txn_clear(in->txn, why);
	in->source_bytes_max = base->source_bytes_max;
	digest = in->held != NULL && !p->is_full ? snap_view_digest(in->held) : STR_NONE;
	if (digest.n == sizeof(in->digest.sum))
		memcpy(in->digest.sum, digest.p, digest.n);
	return r;
}

int intake_start(struct plan **ret, const Update *update, const struct plan_base *base,
		struct snapshot_writer *w, const char **ret_refused_for, struct why *why)
{
	sl_auto(plan) p = NULL;
	int r = plan_new_in_parts(&p, update, base, ret_refused_for, why);

	if (r < 0)
		return r;
	p->intake = calloc(1, sizeof(*p->intake));
	if (p->intake == NULL)
		return why_errno(why, ENOMEM, "Update");
	r = begin(p->intake, p, w, base, why);
	if (r != 0)
		return r;
	*ret = sl_steal(p);
	return 0;
}

static bool is_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

bool intake_is_part_of(const struct plan *p, const Update *u)
{
	return p->intake != NULL && !p->intake->is_complete && u->part != 0 &&
	       is_same(&u->nonce, &p->update->nonce);
}

/* ---- one resource ---- */

static bool step(struct intake_place *last, uint32_t kind, const char *id)
{
	if (kind < last->kind || (kind == last->kind && strcmp(id, last->id) <= 0))
		return false;
	last->kind = kind;
	strcpy(last->id, id); /* plan_is_well_formed() measured it */
	return true;
}

/* What points into the message is copied: the message goes, the item stays. */
static int keep(struct plan *p, struct plan_item *item)
{
	struct intake *in = p->intake;
	struct plan_item *grown;

	item->id = arena_strndup(in->kept, item->id, strlen(item->id));
	item->spec_sha256 = (const uint8_t *)arena_str(
			in->kept, (struct str){(const char *)item->spec_sha256, 32})
					    .p;
	item->spec = item->state == PLAN_REJECTED ? STR("") : arena_str(in->kept, item->spec);
	if (arena_is_exhausted(in->kept))
		return -EFBIG;
	if (p->n == in->cap) {
		grown = realloc(p->items, (in->cap * 2 + 64) * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		p->items = grown;
		in->cap = in->cap * 2 + 64;
	}
	p->items[p->n++] = *item;
	return 0;
}

static void drop_item(struct plan_item *item)
{
	free(item->why);
	sluice__record__plugin_code__free_unpacked(item->plugin, NULL);
	sluice__record__plugin_instance__free_unpacked(item->instance, NULL);
}

static bool is_judged_at_the_end(const struct plan_item *item)
{
	return item->state == PLAN_PENDING && (item->plugin != NULL || item->instance != NULL);
}

static int take_item(struct plan *p, struct plan_item *item, struct why *why)
{
	struct intake *in = p->intake;
	int r = 0;

	if (!is_judged_at_the_end(item))
		r = apply_item(p, item, in->held, why);
	in->n_rejected += item->state == PLAN_REJECTED;
	if (r == 0 && in->n_rejected > REJECTED_MAX) {
		why_set(why, NULL, 0, "more than %d resources would be rejected", REJECTED_MAX);
		r = -E2BIG;
	}
	if (r == 0 && item->state == PLAN_ACCEPTED) {
		drop_item(item);
		return 0;
	}
	if (r == 0)
		r = keep(p, item);
	if (r != 0)
		drop_item(item);
	return r == -EFBIG ? why_errno(why, EFBIG, "plugins and their instances") : r;
}

static int take_resource(struct plan *p, const Resource *x, struct why *why)
{
	struct intake *in = p->intake;
	struct plan_item item = {.kind = x->kind,
			.id = x->id,
			.version = x->version,
			.spec = {(const char *)x->spec.data, x->spec.len},
			.spec_sha256 = x->spec_sha256.data};
	uint8_t old[32];

	if (!p->is_full && wanted_in_txn(in->txn, x->kind, x->id, old))
		stream_digest_remove(&in->digest, x->kind, x->id, old);
	stream_digest_add(&in->digest, x->kind, x->id, x->spec_sha256.data);
	p->n_resources++;
	plan_inspect(&item, in->source_bytes_max);
	return take_item(p, &item, why);
}

static int take_removal(struct plan *p, const Sluice__Stream__V1__ResourceId *x, struct why *why)
{
	struct intake *in = p->intake;
	uint8_t old[32];

	if (wanted_in_txn(in->txn, x->kind, x->id, old))
		stream_digest_remove(&in->digest, x->kind, x->id, old);
	p->n_removed++;
	return snap_txn_delete(in->txn, x->kind, str_of(x->id), why);
}

/* ---- one part ---- */

static const char *what_is_wrong(const struct plan *p, const Update *u)
{
	if (!plan_is_well_formed(u))
		return "a field is missing or has an impossible size";
	if (u->part != p->intake->next_part)
		return "a part is missing";
	if (!is_same(&u->epoch, &p->update->epoch) || u->generation != p->update->generation ||
			u->base_generation != p->update->base_generation)
		return "the parts are not of one Update";
	if (u->n_removed != 0 && p->n_resources != 0)
		return "a removal after a resource";
	return NULL;
}

static int malformed(const char **ret_refused_for, struct why *why, const char *text)
{
	return plan_refuse(ret_refused_for, "malformed", why, text);
}

static int finish(struct plan *p, const Update *u, const char **ret_refused_for, struct why *why)
{
	if (memcmp(p->intake->digest.sum, u->digest_after.data, STREAM_SHA256_BYTES) != 0)
		return plan_refuse(ret_refused_for, "digest", why,
				"what the Update leads to does not have its announced digest");
	free(p->update->digest_after.data);
	p->update->digest_after.data = malloc(STREAM_SHA256_BYTES);
	if (p->update->digest_after.data == NULL)
		return why_errno(why, ENOMEM, "Update");
	memcpy(p->update->digest_after.data, u->digest_after.data, STREAM_SHA256_BYTES);
	p->update->digest_after.len = STREAM_SHA256_BYTES;
	p->intake->is_complete = true;
	return 0;
}

int intake_take(struct plan *p, const Update *u, const char **ret_refused_for, struct why *why)
{
	struct intake *in = p->intake;
	const char *wrong = what_is_wrong(p, u);
	int r = 0;

	if (wrong != NULL)
		return malformed(ret_refused_for, why, wrong);
	*ret_refused_for = "store";
	in->next_part++;
	for (size_t i = 0; r == 0 && i < u->n_removed; i++) {
		if (!step(&in->removed, u->removed[i]->kind, u->removed[i]->id))
			return malformed(ret_refused_for, why, "removals are not in order");
		r = take_removal(p, u->removed[i], why);
	}
	for (size_t i = 0; r == 0 && i < u->n_resources; i++) {
		if (!step(&in->resource, u->resources[i]->kind, u->resources[i]->id))
			return malformed(ret_refused_for, why,
					"resources are not in order, or one is named twice");
		r = take_resource(p, u->resources[i], why);
	}
	return r != 0 || u->has_more ? r : finish(p, u, ret_refused_for, why);
}
