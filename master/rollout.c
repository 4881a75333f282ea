/* SPDX-License-Identifier: Apache-2.0 */
#include "master/rollout.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/check.h"
#include "master/plan.h"

/* Per worker; more is a broken worker, and the newest reports are what matters. */
#define REFUSALS_MAX 1000

struct refusal {
	TAILQ_ENTRY(refusal) link;
	char id[PLAN_ID_MAX + 1];
	uint64_t version, in_force;
	struct why why;
};

struct at {
	bool is_ready;
	uint64_t generation;
	unsigned n_refusals;
	TAILQ_HEAD(refusals, refusal) refusals;
};

struct rollout {
	uint32_t n, total;
	struct at workers[BOARD_SLOTS_MAX];
};

int rollout_new(struct rollout **ret, uint32_t n_slots, uint32_t n_workers)
{
	struct rollout *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	sl_assert(n_slots <= BOARD_SLOTS_MAX);
	r->n = n_slots;
	r->total = n_workers;
	for (uint32_t i = 0; i < n_slots; i++)
		TAILQ_INIT(&r->workers[i].refusals);
	*ret = r;
	return 0;
}

static void drop(struct at *w, struct refusal *f)
{
	TAILQ_REMOVE(&w->refusals, f, link);
	w->n_refusals--;
	free(f);
}

void rollout_gone(struct rollout *r, uint32_t slot)
{
	struct at *w = &r->workers[slot];

	sl_assert(slot < r->n);
	w->is_ready = false;
	w->generation = 0;
	while (!TAILQ_EMPTY(&w->refusals))
		drop(w, TAILQ_FIRST(&w->refusals));
}

void rollout_free(struct rollout *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->n; i++)
		rollout_gone(r, i);
	free(r);
}

void rollout_generation(struct rollout *r, uint32_t slot, uint64_t generation)
{
	sl_assert(slot < r->n);
	r->workers[slot].is_ready = true;
	r->workers[slot].generation = generation;
}

static struct refusal *find(const struct at *w, struct str id)
{
	struct refusal *f;

	TAILQ_FOREACH (f, &w->refusals, link) {
		if (str_eq(str_of(f->id), id))
			return f;
	}
	return NULL;
}

bool rollout_report(struct rollout *r, uint32_t slot, const struct plugin_report *report)
{
	struct at *w = &r->workers[slot];
	struct refusal *f = find(w, report->id);

	sl_assert(slot < r->n);
	if (report->is_active) {
		if (f != NULL)
			drop(w, f);
		return f != NULL;
	}
	if (f == NULL) {
		if (w->n_refusals == REFUSALS_MAX)
			drop(w, TAILQ_FIRST(&w->refusals));
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return false;
		snprintf(f->id, sizeof(f->id), "%.*s", STR_ARG(str_head(report->id, PLAN_ID_MAX)));
		TAILQ_INSERT_TAIL(&w->refusals, f, link);
		w->n_refusals++;
	}
	f->version = report->version;
	f->in_force = report->version_in_force;
	snprintf(f->why.file, sizeof(f->why.file), "%.*s", STR_ARG(str_head(report->file, 63)));
	snprintf(f->why.text, sizeof(f->why.text), "%.*s", STR_ARG(str_head(report->text, 1000)));
	f->why.line = (int)report->line;
	return true;
}

uint32_t rollout_total(const struct rollout *r)
{
	return r->total;
}

void rollout_set_total(struct rollout *r, uint32_t n_workers)
{
	r->total = n_workers;
}

uint32_t rollout_ready(const struct rollout *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += r->workers[i].is_ready;
	return n;
}

bool rollout_is_complete(const struct rollout *r, uint64_t generation)
{
	bool is_any = false;

	for (uint32_t i = 0; i < r->n; i++) {
		if (r->workers[i].is_ready && r->workers[i].generation < generation)
			return false;
		is_any = is_any || r->workers[i].is_ready;
	}
	return is_any;
}

uint32_t rollout_active(
		const struct rollout *r, uint64_t generation, struct str id, uint64_t version)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct at *w = &r->workers[i];
		const struct refusal *f = find(w, id);

		n += w->is_ready && w->generation >= generation &&
		     (f == NULL || f->version != version);
	}
	return n;
}

const struct why *rollout_refusal(
		const struct rollout *r, struct str id, uint64_t version, uint64_t *ret_in_force)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct refusal *f = find(&r->workers[i], id);

		if (f != NULL && f->version == version) {
			*ret_in_force = f->in_force;
			return &f->why;
		}
	}
	return NULL;
}
