/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/balancer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "shm/ipc.h"
#include "worker/worker.h"

#define NAME_FRESH_MS \
	1000 /* how long addresses are taken as they are; the cache below knows TTLs */
#define SEED 0x5e1dU

uint64_t balancer_hash(uint64_t seed, struct str s)
{
	uint64_t h = seed ^ 0xcbf29ce484222325U;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3U;
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9U;
	h = (h ^ h >> 27) * 0x94d049bb133111ebU;
	return h ^ h >> 31;
}

/* ---- backends ---- */

void backend_unref(struct backend *e)
{
	if (e != NULL && --e->refs == 0)
		free(e);
}

static struct backend *backend_new(
		struct balancer *b, const struct balanced_target *t, const struct peer *peer)
{
	static uint32_t serial;
	struct backend *e = calloc(1, sizeof(*e));
	char text[80], address[HEALTH_ADDRESS_MAX];
	int n;

	if (e == NULL)
		return NULL;
	e->refs = 1;
	e->serial = ++serial;
	e->balancer = b;
	e->peer = *peer;
	memcpy(e->host, t->host.p, t->host.n);
	e->port = t->port;
	n = (int)peer_text(peer, text, sizeof(text));
	n += snprintf(text + n, sizeof(text) - (size_t)n, "|%u", t->port);
	e->hash = balancer_hash(SEED, (struct str){text, (size_t)n});
	e->probe.io.fd = -1;
	backend_text(e, address);
	e->row = health_add(b->all->health, health_target(str_of(b->name), str_of(t->text)),
			address, HEALTH_HEALTHY);
	return e;
}

/* Out of the balancer; requests that have it may finish. */
static void backend_drop(struct balancer *b, struct backend *e)
{
	backend_probe_stop(e);
	health_remove(b->all->health, e->row);
	e->row = NULL;
	e->is_gone = true;
	e->balancer = NULL;
	backend_unref(e);
}

static bool list_add(struct balancer *b, struct backend *e)
{
	if (b->n_backends == b->cap) {
		size_t cap = b->cap != 0 ? 2 * b->cap : 8;
		struct backend **v = realloc(b->backends, cap * sizeof(*v));

		if (v == NULL)
			return false;
		b->backends = v;
		b->cap = cap;
	}
	b->backends[b->n_backends++] = e;
	return true;
}

/* After targets or their addresses changed. */
static void list_make(struct balancer *b)
{
	b->n_backends = 0;
	for (size_t i = 0; i < b->n_targets; i++) {
		const struct balanced_target *t = &b->targets[i];

		for (uint32_t k = 0; k < t->n; k++) {
			t->backends[k]->weight = t->weight;
			if (t->weight != 0 && list_add(b, t->backends[k]))
				backend_probe_start(t->backends[k]);
			else
				backend_probe_stop(t->backends[k]);
		}
	}
}

/* ---- addresses ---- */

static bool has_peer(const struct dns_answer *a, const struct peer *peer)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (peer_eq(&a->peers[i], peer))
			return true;
	return false;
}

static bool is_backed(const struct balanced_target *t, const struct peer *peer)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (peer_eq(&t->backends[i]->peer, peer))
			return true;
	return false;
}

/* True when something changed. */
static bool take_answer(struct balancer *b, struct balanced_target *t, struct dns_answer *a)
{
	bool is_changed = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->n; i++)
		peer_set_port(&a->peers[i], t->port);
	for (uint32_t i = 0; i < t->n; i++) {
		if (has_peer(a, &t->backends[i]->peer)) {
			t->backends[n++] = t->backends[i];
			continue;
		}
		backend_drop(b, t->backends[i]);
		is_changed = true;
	}
	t->n = n;
	for (uint32_t i = 0; i < a->n && t->n < DNS_ADDRESSES_MAX; i++) {
		struct backend *e =
				is_backed(t, &a->peers[i]) ? NULL : backend_new(b, t, &a->peers[i]);

		if (e == NULL)
			continue;
		t->backends[t->n++] = e;
		is_changed = true;
	}
	return is_changed;
}

static void tell_nowhere(struct balancer *b, struct balanced_target *t)
{
	if (t->n != 0) {
		health_remove(b->all->health, t->nowhere);
		t->nowhere = NULL;
	} else if (t->nowhere == NULL) {
		t->nowhere = health_add(b->all->health,
				health_target(str_of(b->name), str_of(t->text)), "",
				HEALTH_NO_ADDRESS);
	}
}

static bool ask_again(struct balancer *b, struct balanced_target *t, uint64_t now_ms,
		struct dns_wait *wait, bool *is_changed)
{
	struct dns_answer answer;

	if (t->fresh_until_ms > now_ms)
		return true;
	if (!dns_find(b->all->dns, t->host, &answer, wait))
		return false;
	/* what no name server says now may be right still: the old addresses serve on */
	if (answer.n != 0)
		*is_changed |= take_answer(b, t, &answer);
	tell_nowhere(b, t);
	t->fresh_until_ms = now_ms + NAME_FRESH_MS;
	return true;
}

bool balancer_resolve(struct balancer *b, uint64_t now_ms, struct dns_wait *wait)
{
	struct balanced_target *awaited = NULL;
	bool is_changed = false;

	if (b->all == NULL)
		return true;
	for (size_t i = 0; i < b->n_targets; i++) {
		if (ask_again(b, &b->targets[i], now_ms, wait, &is_changed))
			continue;
		awaited = &b->targets[i];
		dns_cancel(wait); /* the question goes on without us */
	}
	if (is_changed)
		list_make(b);
	if (b->n_backends != 0 || awaited == NULL)
		return true;
	return ask_again(b, awaited, now_ms, wait, &is_changed);
}

/* ---- targets ---- */

struct loading {
	struct balancer *b;
	const struct snap_view *view;
	uint64_t sum;
	struct balanced_target *v;
	size_t n, cap;
};

static bool sum_target(void *arg, struct str id)
{
	struct loading *l = arg;

	l->sum += balancer_hash(snap_version(l->view, SLUICE__RECORD__KIND__TARGET, id), id);
	return true;
}

static uint64_t fingerprint(const struct snap_view *view, struct str id)
{
	struct loading l = {.view = view};

	snap_each_child(view, SLUICE__RECORD__KIND__TARGET, id, sum_target, &l);
	return l.sum + balancer_hash(snap_version(view, SLUICE__RECORD__KIND__UPSTREAM, id), id);
}

/* "host:port", "[v6]:port": control wrote it so. */
static bool target_read(struct balanced_target *t, const Sluice__Record__Target *rec)
{
	char *colon;
	size_t n;

	memset(t, 0, sizeof(*t));
	if (snprintf(t->text, sizeof(t->text), "%s", rec->target) >= (int)sizeof(t->text))
		return false;
	colon = strrchr(t->text, ':');
	n = colon != NULL ? (size_t)(colon - t->text) : 0;
	if (n == 0 || n > DNS_NAME_MAX)
		return false;
	t->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	t->weight = rec->weight;
	return true;
}

static void target_set_host(struct balanced_target *t)
{
	size_t n = (size_t)(strrchr(t->text, ':') - t->text);

	t->host = (struct str){t->text, n};
	if (t->text[0] == '[' && n > 2)
		t->host = (struct str){t->text + 1, n - 2};
}

static bool add_target(void *arg, struct str id)
{
	struct loading *l = arg;
	struct str record = snap_get(l->view, SLUICE__RECORD__KIND__TARGET, id);
	Sluice__Record__Target *rec =
			sluice__record__target__unpack(NULL, record.n, (const uint8_t *)record.p);

	if (rec == NULL)
		return true;
	if (l->n == l->cap) {
		size_t cap = l->cap != 0 ? 2 * l->cap : 8;
		struct balanced_target *v = realloc(l->v, cap * sizeof(*v));

		if (v == NULL) {
			sluice__record__target__free_unpacked(rec, NULL);
			return false;
		}
		l->v = v;
		l->cap = cap;
	}
	l->n += target_read(&l->v[l->n], rec);
	sluice__record__target__free_unpacked(rec, NULL);
	return true;
}

/* What is known of the same target before. */
static void target_inherit(struct balanced_target *t, struct balanced_target *old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(old[i].text, t->text) != 0)
			continue;
		memcpy(t->backends, old[i].backends, sizeof(t->backends));
		t->n = old[i].n;
		old[i].n = 0;
		t->nowhere = old[i].nowhere;
		old[i].nowhere = NULL;
		t->fresh_until_ms = old[i].fresh_until_ms;
		return;
	}
}

static void targets_drop(struct balancer *b, struct balanced_target *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < v[i].n; k++)
			backend_drop(b, v[i].backends[k]);
		health_remove(b->all->health, v[i].nowhere);
	}
	free(v);
}

static void targets_take(struct balancer *b, struct loading *l)
{
	struct balanced_target *old = b->targets;
	size_t n_old = b->n_targets;

	b->targets = l->v;
	b->n_targets = l->n;
	for (size_t i = 0; i < l->n; i++) {
		struct balanced_target *t = &l->v[i];
		struct dns_answer literal = {.n = 1};

		target_set_host(t);
		target_inherit(t, old, n_old);
		if (!peer_parse(t->host, &literal.peers[0]))
			continue;
		(void)take_answer(b, t, &literal);
		t->fresh_until_ms = UINT64_MAX;
	}
	targets_drop(b, old, n_old);
	list_make(b);
}

/* ---- balancers ---- */

static void balancer_clear(struct balancer *b)
{
	targets_drop(b, b->targets, b->n_targets);
	b->targets = NULL;
	b->n_targets = b->n_backends = 0;
	if (b->rec != NULL)
		sluice__record__upstream__free_unpacked(b->rec, NULL);
	b->rec = NULL;
}

void balancer_unref(struct balancer *b)
{
	if (b == NULL || --b->refs != 0)
		return;
	balancer_clear(b);
	free(b->backends);
	free(b->name);
	free(b);
}

/* As the view has it; false: it has no such upstream. */
static bool bring_up_to_date(struct balancer *b)
{
	const struct snap_view *view = b->all->view;
	struct str record = snap_get_by_name(view, SLUICE__RECORD__KIND__UPSTREAM, str_of(b->name));
	struct loading l = {.b = b, .view = view};
	Sluice__Record__Upstream *rec = NULL;
	uint64_t sum;

	b->generation = b->all->generation;
	if (record.n != 0)
		rec = sluice__record__upstream__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (rec == NULL) {
		balancer_clear(b);
		return false;
	}
	sum = fingerprint(view, str_of(rec->id));
	if (b->rec != NULL && sum == b->fingerprint) {
		sluice__record__upstream__free_unpacked(rec, NULL);
		return true;
	}
	if (b->rec != NULL)
		sluice__record__upstream__free_unpacked(b->rec, NULL);
	b->rec = rec;
	b->fingerprint = sum;
	snap_each_child(view, SLUICE__RECORD__KIND__TARGET, str_of(rec->id), add_target, &l);
	targets_take(b, &l);
	return true;
}

static struct balancer *balancer_new(struct balancers *all, struct str name)
{
	struct balancer *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->name = strndup(name.p, name.n);
	if (b->name == NULL) {
		free(b);
		return NULL;
	}
	b->refs = 1;
	b->all = all;
	b->next = all->first;
	all->first = b;
	return b;
}

struct balancer *balancers_find(struct balancers *all, struct str name)
{
	struct balancer *b = all->first;

	if (all->view == NULL || name.n == 0 ||
			snap_get_by_name(all->view, SLUICE__RECORD__KIND__UPSTREAM, name).n == 0)
		return NULL;
	while (b != NULL && !str_eq(str_of(b->name), name))
		b = b->next;
	if (b == NULL)
		b = balancer_new(all, name);
	if (b == NULL || (b->generation != all->generation && !bring_up_to_date(b)))
		return NULL;
	b->refs++;
	return b;
}

void balancers_sweep(struct balancers *all)
{
	struct balancer **at = &all->first, *b;

	while ((b = *at) != NULL && b->generation == all->generation)
		at = &b->next;
	if (b == NULL || bring_up_to_date(b))
		return;
	*at = b->next;
	b->all = NULL;
	balancer_unref(b);
}

void balancers_set_view(struct balancers *all, struct snap_view *view)
{
	snap_view_unref(all->view);
	all->view = snap_view_ref(view);
	all->generation++;
}

int balancers_new(struct balancers **ret, struct worker *w, struct why *why)
{
	struct balancers *all = calloc(1, sizeof(*all));
	int r;

	if (all == NULL)
		return why_errno(why, ENOMEM, "balancers");
	r = health_worker_open(&all->health, IPC_FD_HEALTH, w->slot, why);
	if (r != 0) {
		free(all);
		return r;
	}
	all->base = w->base;
	all->dns = w->dns;
	all->timers = &w->timers;
	all->tls = w->tls;
	*ret = all;
	return 0;
}

void balancers_free(struct balancers *all)
{
	while (all->first != NULL) {
		struct balancer *b = all->first;

		all->first = b->next;
		balancer_clear(b);
		b->all = NULL;
		balancer_unref(b);
	}
	snap_view_unref(all->view);
	health_worker_free(all->health);
	free(all);
}
