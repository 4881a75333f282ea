/* SPDX-License-Identifier: Apache-2.0 */
#include "master/targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "master/handover.h"
#include "master/metric.h"
#include "shm/health.h"
#include "shm/ipc.h"
#include "shm/record.pb-c.h"

#define TARGETS_MAGIC SL_MAGIC('T', 'R', 'G', 'T')
#define WORDS_MAX 1000
#define SUBSYSTEM "http"

/* An operator took it out. */
struct kept_word {
	char *upstream, *target, *address;
};

struct targets {
	uint32_t magic;
	int fd;
	struct health *health;
	struct kept_word *words;
	size_t n_words;
};

static int keep(struct targets *t, const struct target_word *word);

/* What an earlier image was told goes on; what cannot be read is left out. */
static void take_words(struct targets *t, const char *text)
{
	json_t *words = json_loads(text, 0, NULL), *one;
	size_t i;

	json_array_foreach (words, i, one) {
		const char *upstream, *target, *address;

		if (json_unpack(one, "[sss]", &upstream, &target, &address) == 0)
			(void)keep(t, &(struct target_word){.upstream = str_of(upstream),
						      .target = str_of(target),
						      .address = str_of(address)});
	}
	json_decref(words);
}

int targets_new(struct targets **ret, uint32_t n_slots, const struct handover *before,
		struct why *why)
{
	sl_auto(targets) t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return why_errno(why, ENOMEM, "health of targets");
	t->magic = TARGETS_MAGIC;
	t->fd = -1;
	/* an image that had none leaves workers that tell nothing; they are replaced next */
	if (before != NULL && before->health_fd >= 0) {
		t->fd = handover_take(before->health_fd);
		r = t->fd < 0 ? why_errno(why, -t->fd, "health of targets") : 0;
	} else {
		r = health_create(&t->fd, n_slots, why);
	}
	if (r == 0)
		r = health_open(&t->health, t->fd, n_slots, why);
	if (r == 0 && before != NULL && before->targets != NULL)
		take_words(t, before->targets);
	if (r == 0)
		*ret = sl_steal(t);
	return r;
}

static void word_done(struct kept_word *w)
{
	free(w->upstream);
	free(w->target);
	free(w->address);
}

void targets_free(struct targets *t)
{
	if (t == NULL)
		return;
	sl_check(t, TARGETS_MAGIC);
	for (size_t i = 0; i < t->n_words; i++)
		word_done(&t->words[i]);
	free(t->words);
	health_free(t->health);
	sl_close_fd(&t->fd);
	t->magic = 0;
	free(t);
}

bool targets_hand_over(const struct targets *t, struct handover *h)
{
	json_t *words = json_array();
	sl_auto_mem char *text = NULL;

	h->health_fd = t->fd;
	for (size_t i = 0; i < t->n_words; i++)
		json_array_append_new(
				words, json_pack("[sss]", t->words[i].upstream, t->words[i].target,
						       t->words[i].address));
	text = json_dumps(words, JSON_COMPACT);
	json_decref(words);
	return text != NULL && handover_set_text(&h->targets, text);
}

int targets_fd(const struct targets *t)
{
	return t->fd;
}

/* ---- an operator's word ---- */

static void tell(struct supervise *workers, uint32_t slot, const struct target_word *word)
{
	struct ipc_out out;

	ipc_begin(&out, IPC_TARGET);
	ipc_put_str(&out, word->upstream);
	ipc_put_str(&out, word->target);
	ipc_put_str(&out, word->address);
	ipc_put_u8(&out, word->is_healthy);
	supervise_tell(workers, slot, &out);
}

void targets_tell(const struct targets *t, struct supervise *workers, uint32_t slot)
{
	sl_check(t, TARGETS_MAGIC);
	for (size_t i = 0; i < t->n_words; i++)
		tell(workers, slot,
				&(struct target_word){str_of(t->words[i].upstream),
						str_of(t->words[i].target),
						str_of(t->words[i].address), false});
}

/* "Healthy" for all addresses ends what was said of single ones, too. */
static void forget(struct targets *t, const struct target_word *word)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_words; i++) {
		struct kept_word *w = &t->words[i];

		if (str_eq(word->upstream, str_of(w->upstream)) &&
				str_eq(word->target, str_of(w->target)) &&
				(word->address.n == 0 || str_eq(word->address, str_of(w->address))))
			word_done(w);
		else
			t->words[kept++] = *w;
	}
	t->n_words = kept;
}

static int keep(struct targets *t, const struct target_word *word)
{
	struct kept_word *v, new = {strndup(word->upstream.p, word->upstream.n),
					     strndup(word->target.p, word->target.n),
					     strndup(word->address.n != 0 ? word->address.p : "",
							     word->address.n)};

	v = t->n_words < WORDS_MAX ? realloc(t->words, (t->n_words + 1) * sizeof(*v)) : NULL;
	if (v != NULL)
		t->words = v;
	if (v == NULL || new.upstream == NULL || new.target == NULL || new.address == NULL) {
		word_done(&new);
		return t->n_words >= WORDS_MAX ? -ENOSPC : -ENOMEM;
	}
	v[t->n_words++] = new;
	return 0;
}

/* ---- the configuration ---- */

static Sluice__Record__Upstream *upstream_get(const struct snap_view *view, struct str name)
{
	struct str record =
			view != NULL ? snap_get_by_name(view, SLUICE__RECORD__KIND__UPSTREAM, name)
				     : STR_NONE;

	return record.n != 0 ? sluice__record__upstream__unpack(
					       NULL, record.n, (const uint8_t *)record.p)
			     : NULL;
}

static bool side_checks(const Sluice__Record__HealthSide *side)
{
	return side != NULL && (side->tcp_failures | side->timeouts | side->http_failures) != 0;
}

static bool is_checked(const Sluice__Record__Upstream *u)
{
	const Sluice__Record__HealthCheck *active = u->active, *passive = u->passive;

	return (active != NULL && active->healthy != NULL && active->healthy->interval_ms != 0) ||
	       (active != NULL && active->unhealthy != NULL &&
			       active->unhealthy->interval_ms != 0) ||
	       (passive != NULL && side_checks(passive->unhealthy));
}

/* Calls fn for each target of u. */
struct walk {
	const struct snap_view *view;
	const Sluice__Record__Upstream *upstream;
	bool is_checked;
	const struct health_seen *seen;
	size_t n_seen;
	void (*fn)(struct walk *w, const char *target);
	void *arg;
};

static bool walk_target(void *arg, struct str id)
{
	struct walk *w = arg;
	struct str record = snap_get(w->view, SLUICE__RECORD__KIND__TARGET, id);
	Sluice__Record__Target *t =
			sluice__record__target__unpack(NULL, record.n, (const uint8_t *)record.p);

	if (t != NULL)
		w->fn(w, t->target);
	sluice__record__target__free_unpacked(t, NULL);
	return true;
}

static void walk_upstream(struct walk *w, const Sluice__Record__Upstream *u)
{
	w->upstream = u;
	w->is_checked = is_checked(u);
	snap_each_child(w->view, SLUICE__RECORD__KIND__TARGET, str_of(u->id), walk_target, w);
}

struct search {
	struct str target;
	bool is_found;
};

static void compare(struct walk *w, const char *target)
{
	struct search *s = w->arg;

	s->is_found |= str_eq(s->target, str_of(target));
}

int targets_set(struct targets *t, struct supervise *workers, const struct snap_view *view,
		const struct target_word *word, struct why *why)
{
	Sluice__Record__Upstream *u = upstream_get(view, word->upstream);
	struct search search = {.target = word->target};
	struct walk w = {.view = view, .fn = compare, .arg = &search};
	int r = 0;

	sl_check(t, TARGETS_MAGIC);
	if (u != NULL)
		walk_upstream(&w, u);
	sluice__record__upstream__free_unpacked(u, NULL);
	if (!search.is_found) {
		why_set(why, NULL, 0, "this node has no such upstream and target");
		return -ENOENT;
	}
	forget(t, word);
	if (!word->is_healthy)
		r = keep(t, word);
	if (r == 0)
		tell(workers, SUPERVISE_ALL, word);
	else
		why_set(why, NULL, 0, "too many targets were set unhealthy");
	return r;
}

/* ---- what is told ---- */

static const char *word_of(enum health_state state, bool is_checked)
{
	if (state == HEALTH_UNHEALTHY)
		return "UNHEALTHY";
	if (state == HEALTH_NO_ADDRESS)
		return "DNS_ERROR";
	return is_checked ? "HEALTHY" : "HEALTHCHECKS_OFF";
}

/* What the workers in force say; its memory is the caller's. */
static struct health_seen *look(const struct targets *t, const struct supervise *workers, size_t *n)
{
	uint32_t slots[BOARD_SLOTS_MAX], n_slots = supervise_count(workers);
	struct health_seen *seen = NULL;

	*n = 0;
	for (uint32_t i = 0; i < n_slots; i++)
		slots[i] = supervise_slot(workers, i);
	if (health_look(t->health, slots, n_slots, &seen, n) != 0)
		return NULL;
	return seen;
}

static void add_json(struct walk *w, const char *target)
{
	uint64_t key = health_target(str_of(w->upstream->name), str_of(target));
	json_t *list = json_array();
	size_t n;
	const struct health_seen *s = health_find(w->seen, w->n_seen, key, &n);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
				list, json_pack("{s:s, s:s, s:i, s:i}", "address", s[i].address,
						      "health", word_of(s[i].state, w->is_checked),
						      "workers_healthy", (int)s[i].n_healthy,
						      "workers_unhealthy", (int)s[i].n_unhealthy));
	json_object_set_new(w->arg, target, list);
}

json_t *targets_json(const struct targets *t, const struct supervise *workers,
		const struct snap_view *view, struct str upstream)
{
	Sluice__Record__Upstream *u = upstream_get(view, upstream);
	struct walk w = {.view = view, .fn = add_json};
	struct health_seen *seen;

	sl_check(t, TARGETS_MAGIC);
	if (u == NULL)
		return NULL;
	seen = look(t, workers, &w.n_seen);
	w.seen = seen;
	w.arg = json_object();
	walk_upstream(&w, u);
	free(seen);
	sluice__record__upstream__free_unpacked(u, NULL);
	return w.arg;
}

static void put_lines(struct walk *w, const char *target, const char *address, const char *word)
{
	static const struct {
		const char *word, *label;
	} states[] = {{"HEALTHCHECKS_OFF", "healthchecks_off"}, {"HEALTHY", "healthy"},
			{"UNHEALTHY", "unhealthy"}, {"DNS_ERROR", "dns_error"}};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		metric_line(w->arg, METRIC_kong_upstream_target_health,
				strcmp(states[i].word, word) == 0, w->upstream->name, target,
				address, states[i].label, SUBSYSTEM);
}

/* Its host is an address, so that this is known before any worker uses it. */
static bool is_literal(const char *target)
{
	const char *colon = strrchr(target, ':');
	char host[INET_ADDRSTRLEN];
	struct in_addr in;

	if (target[0] == '[')
		return true;
	if (colon == NULL || (size_t)(colon - target) >= sizeof(host))
		return false;
	memcpy(host, target, (size_t)(colon - target));
	host[colon - target] = '\0';
	return inet_pton(AF_INET, host, &in) == 1;
}

static void add_lines(struct walk *w, const char *target)
{
	uint64_t key = health_target(str_of(w->upstream->name), str_of(target));
	size_t n;
	const struct health_seen *s = health_find(w->seen, w->n_seen, key, &n);

	for (size_t i = 0; i < n; i++)
		put_lines(w, target, s[i].address, word_of(s[i].state, w->is_checked));
	if (n == 0)
		put_lines(w, target, is_literal(target) ? target : "",
				word_of(HEALTH_HEALTHY, w->is_checked));
}

static bool add_upstream(void *arg, struct str id, uint64_t version, struct str record)
{
	Sluice__Record__Upstream *u =
			sluice__record__upstream__unpack(NULL, record.n, (const uint8_t *)record.p);

	(void)id;
	(void)version;
	if (u != NULL)
		walk_upstream(arg, u);
	sluice__record__upstream__free_unpacked(u, NULL);
	return true;
}

void targets_prometheus(const struct targets *t, const struct supervise *workers,
		const struct snap_view *view, struct buf *out)
{
	struct walk w = {.view = view, .fn = add_lines, .arg = out};
	struct health_seen *seen;

	sl_check(t, TARGETS_MAGIC);
	metric_head(out, METRIC_kong_upstream_target_health);
	if (view == NULL)
		return;
	seen = look(t, workers, &w.n_seen);
	w.seen = seen;
	snap_each(view, SLUICE__RECORD__KIND__UPSTREAM, add_upstream, &w);
	free(seen);
}
