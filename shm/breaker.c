/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/breaker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "shm/area.h"

#define BREAKER_MAGIC SL_MAGIC('B', 'R', 'K', 'R')
#define BREAKER_ABI 1
#define LEVEL_MAX 6U /* 64 times the first wait */
/* Workers say each second that they use a row. */
#define UNUSED_MS 60000U

struct breaker_area {
	struct area_head head;
	_Atomic uint64_t changes;
	_Atomic uint64_t keys[BREAKER_ROWS]; /* hash of the plugin's id; 0 = never used */
	struct breaker_row rows[BREAKER_ROWS];
};

struct breaker {
	uint32_t magic;
	struct breaker_conf conf;
	struct breaker_area *area;
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared between processes");

static const struct area_head breaker_head = {BREAKER_MAGIC, BREAKER_ABI};

/* ---- the word: state 2 bits, level 6, serial 16, until 40 (monotonic ms) ----
 *
 * The serial is of a time of being closed, or of waiting to be tried: a try that is heard of late
 * counts as long as it is the same. */

struct word {
	enum breaker_state state;
	unsigned level;
	uint16_t serial;
	uint64_t until_ms;
};

/* Any 64 bits are some state: what a worker may write here cannot be more than wrong. */
static struct word unpack(uint64_t w)
{
	struct word r = {.state = (enum breaker_state)(w & 3),
			.level = (unsigned)(w >> 2 & 0x3f),
			.serial = (uint16_t)(w >> 8),
			.until_ms = w >> 24};

	if ((w & 3) > BREAKER_HALF_OPEN)
		r.state = BREAKER_OPEN;
	if (r.level > LEVEL_MAX)
		r.level = LEVEL_MAX;
	return r;
}

static uint64_t pack(const struct word *w)
{
	return (uint64_t)w->state | (uint64_t)w->level << 2 | (uint64_t)w->serial << 8 |
	       (w->until_ms & 0xffffffffffU) << 24;
}

static uint64_t load(const struct breaker_row *row)
{
	return atomic_load_explicit(&row->word, memory_order_acquire);
}

/* Somebody else may have been first. */
static bool move(struct breaker *b, struct breaker_row *row, uint64_t from, struct word to)
{
	if (!atomic_compare_exchange_strong(&row->word, &from, pack(&to)))
		return false;
	atomic_fetch_add_explicit(&b->area->changes, 1, memory_order_relaxed);
	return true;
}

/* ---- the memory ---- */

static int wrap(struct breaker **ret, struct breaker_area *area, const struct breaker_conf *conf,
		struct why *why)
{
	struct breaker *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		area_unmap(area, sizeof(*area));
		return why_errno(why, ENOMEM, "breakers");
	}
	sl_assert(conf->trips <= BREAKER_TRIPS_MAX);
	b->magic = BREAKER_MAGIC;
	b->conf = *conf;
	b->area = area;
	*ret = b;
	return 0;
}

int breaker_create(
		struct breaker **ret, int *ret_fd, const struct breaker_conf *conf, struct why *why)
{
	void *p = NULL;
	int r = area_create(&p, ret_fd, "breakers", sizeof(struct breaker_area), breaker_head, why);

	return r < 0 ? r : wrap(ret, p, conf, why);
}

int breaker_map(struct breaker **ret, int fd, const struct breaker_conf *conf, struct why *why)
{
	void *p = NULL;
	int r = area_map(&p, fd, "breakers", sizeof(struct breaker_area), breaker_head, why);

	return r < 0 ? r : wrap(ret, p, conf, why);
}

void breaker_free(struct breaker *b)
{
	if (b == NULL)
		return;
	sl_check(b, BREAKER_MAGIC);
	area_unmap(b->area, sizeof(*b->area));
	b->magic = 0;
	free(b);
}

const struct breaker_conf *breaker_conf_of(const struct breaker *b)
{
	return &b->conf;
}

/* ---- rows ---- */

/* FNV-1a. */
uint64_t breaker_hash(uint64_t start, const void *p, size_t n)
{
	uint64_t h = start != 0 ? start : 14695981039346656037U;

	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 1099511628211U;
	return h != 0 ? h : 1;
}

static uint64_t key_of(struct str plugin_id)
{
	return breaker_hash(0, plugin_id.p, plugin_id.n);
}

/* Keys are replaced, never cleared: a look-up may end at the first free one. */
static size_t find(const struct breaker_area *a, uint64_t key)
{
	for (size_t n = 0; n < BREAKER_ROWS; n++) {
		size_t i = (key + n) % BREAKER_ROWS;
		uint64_t k = atomic_load_explicit(&a->keys[i], memory_order_acquire);

		if (k == key)
			return i;
		if (k == 0)
			return BREAKER_ROWS;
	}
	return BREAKER_ROWS;
}

static bool is_unused(const struct breaker_area *a, size_t i, uint64_t now_ms)
{
	uint64_t seen = atomic_load_explicit(&a->rows[i].seen_ms, memory_order_relaxed);

	return seen < now_ms && now_ms - seen > UNUSED_MS;
}

static void claim(struct breaker_area *a, uint64_t key, uint64_t now_ms)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t n = 0; n < BREAKER_ROWS; n++) {
			size_t i = (key + n) % BREAKER_ROWS;
			uint64_t k = atomic_load(&a->keys[i]);

			if (k == key)
				return;
			if (k != 0 && (pass == 0 || !is_unused(a, i, now_ms)))
				continue;
			if (k != 0) /* not taken once more while it is ours already */
				atomic_store(&a->rows[i].seen_ms, now_ms);
			if (atomic_compare_exchange_strong(&a->keys[i], &k, key) || k == key)
				return;
		}
}

static void set_content(
		struct breaker *b, struct breaker_row *row, uint64_t content, uint64_t now_ms)
{
	struct word closed = {.state = BREAKER_CLOSED};

	atomic_store(&row->content, content);
	atomic_store(&row->closed_ms, now_ms);
	for (uint64_t w = load(row); unpack(w).state != BREAKER_CLOSED; w = load(row)) {
		closed.serial = (uint16_t)(unpack(w).serial + 1);
		if (move(b, row, w, closed))
			return;
	}
}

static struct breaker_row *row_of(
		struct breaker *b, struct str plugin_id, uint64_t content, bool is_new)
{
	uint64_t key = key_of(plugin_id), now = clock_mono_ms();
	size_t i = find(b->area, key);
	struct breaker_row *row;

	sl_check(b, BREAKER_MAGIC);
	if (b->conf.trips == 0)
		return NULL;
	if (i == BREAKER_ROWS) {
		claim(b->area, key, now);
		i = find(b->area, key); /* the same for all that claimed it just now */
		is_new = true;
	}
	if (i == BREAKER_ROWS)
		return NULL;
	row = &b->area->rows[i];
	atomic_store_explicit(&row->seen_ms, now, memory_order_relaxed);
	if (is_new && atomic_load(&row->content) != content)
		set_content(b, row, content, now);
	return row;
}

struct breaker_row *breaker_join(struct breaker *b, struct str plugin_id, uint64_t content)
{
	return row_of(b, plugin_id, content, true);
}

struct breaker_row *breaker_stay(struct breaker *b, struct str plugin_id, uint64_t content)
{
	return row_of(b, plugin_id, content, false);
}

/* ---- states ---- */

static uint64_t wait_ms(const struct breaker *b, unsigned level)
{
	return (uint64_t)b->conf.retry_ms << (level < LEVEL_MAX ? level : LEVEL_MAX);
}

/* No wait is longer than the longest: a time beyond it is not one of ours. */
static bool is_over(const struct breaker *b, const struct word *w, uint64_t now_ms)
{
	return w->until_ms <= now_ms || w->until_ms - now_ms > wait_ms(b, LEVEL_MAX);
}

enum breaker_answer breaker_ask(
		struct breaker *b, struct breaker_row *row, uint64_t now_ms, uint64_t *ret_ticket)
{
	uint64_t from = load(row);
	struct word w = unpack(from), to = w;

	if (w.state == BREAKER_CLOSED)
		return BREAKER_PASS;
	if (!is_over(b, &w, now_ms))
		return BREAKER_HOLD;
	/* Should nothing be heard of this one, another may try after the same wait. */
	to.state = BREAKER_HALF_OPEN;
	to.until_ms = now_ms + wait_ms(b, w.level);
	if (!move(b, row, from, to))
		return BREAKER_HOLD;
	*ret_ticket = pack(&to);
	return BREAKER_TRY;
}

static bool open_from(struct breaker *b, struct breaker_row *row, uint64_t from, unsigned level,
		uint64_t now_ms, uint64_t *ret_wait_ms)
{
	struct word to = {.state = BREAKER_OPEN,
			.level = level < LEVEL_MAX ? level : LEVEL_MAX,
			.serial = (uint16_t)(unpack(from).serial + 1)};

	*ret_wait_ms = wait_ms(b, to.level);
	to.until_ms = now_ms + *ret_wait_ms;
	if (!move(b, row, from, to))
		return false;
	atomic_fetch_add_explicit(&row->opens, 1, memory_order_relaxed);
	return true;
}

/* Notes a trip; true when it is the last of as many as it takes. */
static bool note(const struct breaker *b, struct breaker_row *row, uint64_t now_ms)
{
	uint64_t i = atomic_fetch_add(&row->n_trips, 1), before = b->conf.trips - 1, first;

	atomic_store(&row->trips_ms[i % BREAKER_TRIPS_MAX], now_ms);
	if (i < before)
		return false;
	first = atomic_load(&row->trips_ms[(i - before) % BREAKER_TRIPS_MAX]);
	return first >= atomic_load(&row->closed_ms) &&
	       (first >= now_ms || now_ms - first <= b->conf.window_ms);
}

/* Nothing came between the try's begin and now but other tries. */
static bool is_waited_for(uint64_t word, uint64_t ticket)
{
	return ticket != 0 && unpack(word).state != BREAKER_CLOSED &&
	       unpack(word).serial == unpack(ticket).serial;
}

bool breaker_trip(struct breaker *b, struct breaker_row *row, uint64_t content, uint64_t ticket,
		uint64_t now_ms, uint64_t *ret_wait_ms)
{
	uint64_t from;

	if (row == NULL || atomic_load(&row->content) != content)
		return false;
	from = load(row);
	if (is_waited_for(from, ticket))
		return open_from(b, row, from, unpack(from).level + 1, now_ms, ret_wait_ms);
	return unpack(from).state == BREAKER_CLOSED && note(b, row, now_ms) &&
	       open_from(b, row, from, 0, now_ms, ret_wait_ms);
}

bool breaker_settle(struct breaker *b, struct breaker_row *row, uint64_t ticket, bool is_good,
		uint64_t now_ms)
{
	uint64_t from = load(row);
	struct word to = {.state = BREAKER_CLOSED, .serial = (uint16_t)(unpack(from).serial + 1)};

	if (!is_waited_for(from, ticket))
		return false;
	if (is_good) {
		atomic_store(&row->closed_ms, now_ms + 1);
		return move(b, row, from, to);
	}
	/* unless another tries it meanwhile */
	to = unpack(from);
	to.state = BREAKER_OPEN;
	to.until_ms = now_ms;
	if (from == ticket)
		(void)move(b, row, from, to);
	return false;
}

/* ---- showing ---- */

void breaker_show(const struct breaker *b, struct str plugin_id, uint64_t now_ms,
		struct breaker_show *ret)
{
	size_t i = find(b->area, key_of(plugin_id));
	const struct breaker_row *row;
	struct word w;

	*ret = (struct breaker_show){.state = BREAKER_CLOSED};
	if (i == BREAKER_ROWS)
		return;
	row = &b->area->rows[i];
	w = unpack(load(row));
	ret->state = w.state;
	ret->opens = atomic_load_explicit(&row->opens, memory_order_relaxed);
	if (w.state == BREAKER_OPEN && !is_over(b, &w, now_ms))
		ret->retry_in_ms = w.until_ms - now_ms;
}

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = {"closed", "open", "half_open"};

	return (unsigned)state < sizeof(names) / sizeof(*names) ? names[state] : "?";
}

uint64_t breaker_changes(const struct breaker *b)
{
	return atomic_load_explicit(&b->area->changes, memory_order_relaxed);
}
