/* SPDX-License-Identifier: Apache-2.0 */
#include "master/counts.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "master/handover.h"

/* A worker reports every second: a version that fell silent was unloaded. */
#define SILENT_MS 5000
/* A worker is not believed about more plugins than this. */
#define PLUGINS_MAX 4096

struct live {
	TAILQ_ENTRY(live) link;
	uint32_t slot;
	uint8_t version[32];
	uint64_t heard_ms;
	struct plugin_total now;
};

struct plugin {
	TAILQ_ENTRY(plugin) link;
	struct plugin_total past; /* of workers and versions that are gone */
	TAILQ_HEAD(, live) live;
};

struct counts {
	size_t n;
	TAILQ_HEAD(, plugin) plugins;
};

int counts_new(struct counts **ret)
{
	struct counts *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	TAILQ_INIT(&c->plugins);
	*ret = c;
	return 0;
}

static void add(struct plugin_total *sum, const struct plugin_total *more)
{
#define X(field, type, help) sum->field += more->field;
	COUNTS_TABLE(X)
#undef X
}

static void retire(struct plugin *p, struct live *l)
{
	l->now.memory_bytes = 0;
	add(&p->past, &l->now);
	TAILQ_REMOVE(&p->live, l, link);
	free(l);
}

static struct live *next_live(const struct live *l)
{
	return TAILQ_NEXT(l, link);
}

void counts_gone(struct counts *c, uint32_t slot)
{
	struct plugin *p;
	struct live *l, *next;

	TAILQ_FOREACH (p, &c->plugins, link) {
		for (l = TAILQ_FIRST(&p->live); l != NULL; l = next) {
			next = next_live(l);
			if (l->slot == slot)
				retire(p, l);
		}
	}
}

void counts_free(struct counts *c)
{
	struct plugin *p;

	if (c == NULL)
		return;
	while ((p = TAILQ_FIRST(&c->plugins)) != NULL) {
		while (!TAILQ_EMPTY(&p->live))
			retire(p, TAILQ_FIRST(&p->live));
		TAILQ_REMOVE(&c->plugins, p, link);
		free(p);
	}
	free(c);
}

static struct plugin *find(const struct counts *c, struct str name)
{
	struct plugin *p;

	TAILQ_FOREACH (p, &c->plugins, link) {
		if (str_eq(str_of(p->past.plugin), name))
			return p;
	}
	return NULL;
}

static struct plugin *find_or_add(struct counts *c, struct str name)
{
	struct plugin *p = find(c, name);

	if (p != NULL || c->n == PLUGINS_MAX || name.n >= sizeof(p->past.plugin))
		return p;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	memcpy(p->past.plugin, name.p, name.n);
	TAILQ_INIT(&p->live);
	TAILQ_INSERT_TAIL(&c->plugins, p, link);
	c->n++;
	return p;
}

static void retire_silent(struct plugin *p, uint32_t slot)
{
	uint64_t now_ms = clock_mono_ms();
	struct live *l, *next;

	for (l = TAILQ_FIRST(&p->live); l != NULL; l = next) {
		next = next_live(l);
		if (l->slot == slot && now_ms - l->heard_ms > SILENT_MS)
			retire(p, l);
	}
}

static struct live *find_live(struct plugin *p, uint32_t slot, struct str version)
{
	struct live *l;

	TAILQ_FOREACH (l, &p->live, link) {
		if (l->slot == slot && memcmp(l->version, version.p, sizeof(l->version)) == 0)
			return l;
	}
	retire_silent(p, slot);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->slot = slot;
	memcpy(l->version, version.p, sizeof(l->version));
	TAILQ_INSERT_TAIL(&p->live, l, link);
	return l;
}

void counts_update(struct counts *c, uint32_t slot, const struct plugin_counts *now)
{
	struct plugin *p = now->version_sha256.n == 32 ? find_or_add(c, now->plugin) : NULL;
	struct live *l = p != NULL ? find_live(p, slot, now->version_sha256) : NULL;

	if (l == NULL)
		return;
	/* loaded again after it was dropped: it counts from zero */
	if (now->runs < l->now.runs) {
		l->now.memory_bytes = 0;
		add(&p->past, &l->now);
	}
	l->heard_ms = clock_mono_ms();
#define X(field, type, help) l->now.field = now->field;
	COUNTS_TABLE(X)
#undef X
}

static void sum(const struct plugin *p, struct plugin_total *ret)
{
	const struct live *l;

	*ret = p->past;
	TAILQ_FOREACH (l, &p->live, link) {
		add(ret, &l->now);
	}
}

bool counts_at(const struct counts *c, size_t i, struct plugin_total *ret)
{
	const struct plugin *p = TAILQ_FIRST(&c->plugins);

	while (p != NULL && i-- > 0)
		p = TAILQ_NEXT(p, link);
	if (p != NULL)
		sum(p, ret);
	return p != NULL;
}

void counts_of(const struct counts *c, const char *plugin, struct plugin_total *ret)
{
	const struct plugin *p = find(c, str_of(plugin));

	*ret = (struct plugin_total){.runs = 0};
	if (p != NULL)
		sum(p, ret);
}

/* ---- from image to image ---- */

static bool hand_over_plugin(const struct plugin *p, struct handover *h)
{
	struct handover_count *row = handover_add_count(h);
	const struct live *l;

	if (row == NULL)
		return false;
	row->total = p->past;
	TAILQ_FOREACH (l, &p->live, link) {
		row = handover_add_count(h);
		if (row == NULL)
			return false;
		row->slot = l->slot;
		memcpy(row->version, l->version, sizeof(row->version));
		row->total = l->now;
		memcpy(row->total.plugin, p->past.plugin, sizeof(row->total.plugin));
	}
	return true;
}

bool counts_hand_over(const struct counts *c, struct handover *h)
{
	const struct plugin *p;
	bool is_done = true;

	TAILQ_FOREACH (p, &c->plugins, link) {
		is_done = is_done && hand_over_plugin(p, h);
	}
	return is_done;
}

static bool adopt_row(struct counts *c, const struct handover_count *row)
{
	struct plugin *p = find_or_add(c, str_of(row->total.plugin));
	struct str version = {(const char *)row->version, sizeof(row->version)};
	struct live *l;

	if (p == NULL)
		return false;
	if (row->slot == HANDOVER_PAST) {
		p->past = row->total;
		return true;
	}
	l = find_live(p, row->slot, version);
	if (l == NULL)
		return false;
	l->now = row->total;
	l->heard_ms = clock_mono_ms();
	return true;
}

bool counts_adopt(struct counts *c, const struct handover *h)
{
	bool is_done = true;

	for (size_t i = 0; i < h->n_counts; i++)
		is_done = adopt_row(c, &h->counts[i]) && is_done;
	return is_done;
}
