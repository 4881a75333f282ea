/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/headers.h"

#include <errno.h>

static const struct str id_names[HEADER_ID_COUNT] = {[HEADER_OTHER] = {"", 0},
#define X(id, name) [HEADER_##id] = {(name), sizeof(name) - 1},
		HEADER_TABLE(X)
#undef X
};

/* Buckets by (length, first letter): each bucket is a short chain, made on first use. */
#define BUCKETS 256
static uint8_t bucket_head[BUCKETS], bucket_next[HEADER_ID_COUNT];
static bool buckets_are_made;

static uint8_t bucket_of(struct str name)
{
	return (uint8_t)((name.n * 31 + (uint8_t)ascii_lower(name.p[0]) * 7U +
					 (uint8_t)ascii_lower(name.p[name.n - 1])) &
			 (BUCKETS - 1));
}

static void buckets_make(void)
{
	for (unsigned id = 1; id < HEADER_ID_COUNT; id++) {
		uint8_t b = bucket_of(id_names[id]);

		bucket_next[id] = bucket_head[b];
		bucket_head[b] = (uint8_t)id;
	}
	buckets_are_made = true;
}

enum header_id header_id_of(struct str name)
{
	if (name.n == 0)
		return HEADER_OTHER;
	if (!buckets_are_made)
		buckets_make();
	for (uint8_t id = bucket_head[bucket_of(name)]; id != 0; id = bucket_next[id])
		if (str_ieq(id_names[id], name))
			return (enum header_id)id;
	return HEADER_OTHER;
}

struct str header_id_name(enum header_id id)
{
	return id_names[id];
}

void headers_init(struct headers *h, struct arena *arena)
{
	*h = (struct headers){.arena = arena};
}

static bool header_is(const struct header *f, enum header_id id, struct str name)
{
	return id != HEADER_OTHER ? f->id == id : f->id == HEADER_OTHER && str_ieq(f->name, name);
}

static const struct header *find_from(
		const struct headers *h, uint32_t from, enum header_id id, struct str name)
{
	for (uint32_t i = from; i < h->n; i++)
		if (header_is(&h->v[i], id, name))
			return &h->v[i];
	return NULL;
}

const struct header *headers_find(const struct headers *h, struct str name)
{
	return find_from(h, 0, header_id_of(name), name);
}

const struct header *headers_find_id(const struct headers *h, enum header_id id)
{
	return find_from(h, 0, id, STR_NONE);
}

static bool name_eq_loose(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char x = a.p[i] == '_' ? '-' : ascii_lower(a.p[i]);
		char y = b.p[i] == '_' ? '-' : ascii_lower(b.p[i]);

		if (x != y)
			return false;
	}
	return true;
}

const struct header *headers_find_loose(const struct headers *h, struct str name)
{
	const struct header *f = headers_find(h, name);

	if (f != NULL)
		return f;
	for (uint32_t i = 0; i < h->n; i++)
		if (name_eq_loose(h->v[i].name, name))
			return &h->v[i];
	return NULL;
}

struct str headers_get(const struct headers *h, struct str name)
{
	const struct header *f = headers_find(h, name);

	return f != NULL ? f->value : STR_NONE;
}

struct str headers_get_id(const struct headers *h, enum header_id id)
{
	const struct header *f = headers_find_id(h, id);

	return f != NULL ? f->value : STR_NONE;
}

const struct header *headers_next(const struct headers *h, const struct header *at)
{
	return find_from(h, (uint32_t)(at - h->v) + 1, at->id, at->name);
}

static int headers_make_room(struct headers *h, uint32_t more)
{
	uint32_t cap = h->cap != 0 ? h->cap : 16;
	struct header *v;

	if (!h->is_shared && h->cap - h->n >= more)
		return 0;
	while (cap < h->n + more)
		cap *= 2;
	v = arena_alloc(h->arena, cap * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	if (h->n != 0)
		memcpy(v, h->v, h->n * sizeof(*v));
	h->v = v;
	h->cap = cap;
	h->is_shared = false;
	return 0;
}

static int append(struct headers *h, enum header_id id, struct str name, struct str value)
{
	int r = headers_make_room(h, 1);

	if (r == 0)
		h->v[h->n++] = (struct header){.name = name, .value = value, .id = id};
	return r;
}

int headers_add(struct headers *h, struct str name, struct str value)
{
	return append(h, header_id_of(name), name, value);
}

int headers_add_scanned(struct headers *h, struct str name, struct str value)
{
	int r = append(h, header_id_of(name), name, value);

	if (r == 0)
		h->v[h->n - 1].is_scanned = true;
	return r;
}

int headers_add_id(struct headers *h, enum header_id id, struct str value)
{
	return append(h, id, id_names[id], value);
}

/* Removes the matches from index `from` on. */
static uint32_t drop_from(struct headers *h, uint32_t from, enum header_id id, struct str name)
{
	uint32_t kept = from;

	if (find_from(h, from, id, name) == NULL || headers_make_room(h, 0) != 0)
		return 0;
	for (uint32_t i = from; i < h->n; i++)
		if (!header_is(&h->v[i], id, name))
			h->v[kept++] = h->v[i];
	from = h->n - kept;
	h->n = kept;
	return from;
}

static int replace(struct headers *h, enum header_id id, struct str name, struct str value)
{
	const struct header *f = find_from(h, 0, id, name);
	uint32_t at;

	if (f == NULL)
		return append(h, id, name, value);
	at = (uint32_t)(f - h->v);
	if (headers_make_room(h, 0) != 0)
		return -ENOMEM;
	h->v[at].value = value;
	h->v[at].is_scanned = false;
	drop_from(h, at + 1, id, name);
	return 0;
}

int headers_set(struct headers *h, struct str name, struct str value)
{
	return replace(h, header_id_of(name), name, value);
}

int headers_set_id(struct headers *h, enum header_id id, struct str value)
{
	return replace(h, id, id_names[id], value);
}

uint32_t headers_remove(struct headers *h, struct str name)
{
	return drop_from(h, 0, header_id_of(name), name);
}

uint32_t headers_remove_id(struct headers *h, enum header_id id)
{
	return drop_from(h, 0, id, STR_NONE);
}

void headers_share(struct headers *to, struct headers *from)
{
	from->is_shared = true;
	*to = *from;
}

/* RFC 9110 5.6.2: tchar */
/* clang-format off */
static const bool is_tchar[256] = {
	['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
	['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
	['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
	['`'] = true, ['|'] = true, ['~'] = true,
};
/* clang-format on */

bool headers_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_tchar[(unsigned char)name.p[i]])
			return false;
	return name.n != 0;
}

bool headers_value_is_valid(struct str value)
{
	size_t i = 0;

	while (i + 8 <= value.n && str_is_plain8(value.p + i))
		i += 8;
	for (; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool headers_list_has(struct str value, struct str token)
{
	while (value.n != 0) {
		ptrdiff_t comma = str_find_char(value, ',');
		struct str member = comma < 0 ? value : str_head(value, (size_t)comma);

		if (str_ieq(str_trim(member), token))
			return true;
		value = comma < 0 ? STR_NONE : str_from(value, (size_t)comma + 1);
	}
	return false;
}

bool headers_connection_names(const struct headers *h, struct str name)
{
	const struct header *c = headers_find_id(h, HEADER_CONNECTION);

	for (; c != NULL; c = headers_next(h, c))
		if (headers_list_has(c->value, name))
			return true;
	return false;
}

bool headers_connection_has_names(const struct headers *h)
{
	const struct header *c = headers_find_id(h, HEADER_CONNECTION);

	for (; c != NULL; c = headers_next(h, c))
		if (!str_ieq(c->value, STR("keep-alive")) && !str_ieq(c->value, STR("close")))
			return true;
	return false;
}
