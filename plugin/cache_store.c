/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cache_store.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"

/* In front of the first piece; the others are entries of their own, named by the nonce. */
struct head {
	struct cache_time time;
	uint64_t nonce;
	uint32_t n, n_pieces; /* bytes in all; pieces behind the first */
};

#define FIRST_MAX (DICT_VALUE_MAX - sizeof(struct head))

struct piece_key {
	char tag;
	char nonce[8];
	char index[4];
};

static struct str piece_key(struct piece_key *k, uint64_t nonce, uint32_t index)
{
	k->tag = 'x';
	memcpy(k->nonce, &nonce, sizeof(nonce));
	memcpy(k->index, &index, sizeof(index));
	return (struct str){(const char *)k, sizeof(*k)};
}

uint64_t cache_now_ms(void)
{
	return clock_read_ns(CLOCK_MONOTONIC_COARSE) / 1000000U;
}

/* What the entry says of itself is not trusted. */
static int get_head(struct dict *d, uint32_t space, struct str key, struct dict_value *v,
		struct head *ret)
{
	int r = dict_get(d, space, key, v);

	if (r != 0)
		return r;
	if (v->kind != DICT_STRING || v->n < sizeof(*ret))
		return DICT_E_ABSENT;
	memcpy(ret, v->bytes, sizeof(*ret));
	return ret->n <= CACHE_VALUE_MAX && ret->n_pieces <= CACHE_VALUE_MAX / DICT_VALUE_MAX + 1
			       ? 0
			       : DICT_E_ABSENT;
}

int cache_store_get(struct dict *d, uint32_t space, struct str key, struct buf *ret,
		struct cache_time *ret_time)
{
	struct dict_value v;
	struct piece_key name;
	struct head head;
	size_t start = ret->n;
	int r = get_head(d, space, key, &v, &head);

	if (r != 0)
		return r;
	buf_add(ret, v.bytes + sizeof(head), v.n - sizeof(head));
	for (uint32_t i = 0; r == 0 && i < head.n_pieces; i++) {
		r = dict_get(d, space, piece_key(&name, head.nonce, i), &v);
		if (r == 0 && v.kind == DICT_STRING)
			buf_add(ret, v.bytes, v.n);
	}
	*ret_time = head.time;
	/* a piece made room for something else */
	if (r == 0 && (ret->is_failed || ret->n - start != head.n))
		r = DICT_E_ABSENT;
	return r;
}

static void delete_pieces(struct dict *d, uint32_t space, const struct head *head, uint32_t n)
{
	struct piece_key name;

	for (uint32_t i = 0; i < n; i++)
		dict_delete(d, space, piece_key(&name, head->nonce, i));
}

static int put_pieces(struct dict *d, uint32_t space, struct head *head, struct str rest,
		uint64_t left_ms)
{
	struct piece_key name;
	int r = 0;

	for (; r == 0 && rest.n != 0; head->n_pieces++) {
		const struct dict_input in = {.kind = DICT_STRING,
				.text = str_head(rest,
						rest.n < DICT_VALUE_MAX ? rest.n : DICT_VALUE_MAX)};

		r = dict_set(d, space, piece_key(&name, head->nonce, head->n_pieces), &in, left_ms);
		rest = str_from(rest, in.text.n);
	}
	if (r != 0)
		delete_pieces(d, space, head, head->n_pieces);
	return r;
}

static int put_head(struct dict *d, uint32_t space, struct str key, const struct head *head,
		struct str first, uint64_t left_ms)
{
	char bytes[DICT_VALUE_MAX];
	const struct dict_input in = {
			.kind = DICT_STRING, .text = {bytes, sizeof(*head) + first.n}};

	memcpy(bytes, head, sizeof(*head));
	if (first.n != 0)
		memcpy(bytes + sizeof(*head), first.p, first.n);
	return dict_set(d, space, key, &in, left_ms);
}

int cache_store_put(struct dict *d, uint32_t space, struct str key, struct str value,
		uint64_t ttl_ms, uint64_t keep_ms)
{
	uint64_t left_ms = ttl_ms != 0 ? ttl_ms + keep_ms : 0;
	struct head head = {.n = (uint32_t)value.n,
			.time = {.ttl_ms = ttl_ms,
					.expires_ms = ttl_ms != 0 ? cache_now_ms() + ttl_ms : 0}};
	struct str first = str_head(value, value.n < FIRST_MAX ? value.n : FIRST_MAX);
	struct dict_value v;
	struct head old;
	bool has_old;
	int r;

	if (value.n > CACHE_VALUE_MAX)
		return DICT_E_TOO_LONG;
	has_old = get_head(d, space, key, &v, &old) == 0;
	if (first.n < value.n)
		random_bytes(&head.nonce, sizeof(head.nonce));
	r = put_pieces(d, space, &head, str_from(value, first.n), left_ms);
	if (r != 0)
		return r;
	r = put_head(d, space, key, &head, first, left_ms);
	if (r != 0)
		delete_pieces(d, space, &head, head.n_pieces);
	else if (has_old)
		delete_pieces(d, space, &old, old.n_pieces);
	return r;
}

int cache_store_delete(struct dict *d, uint32_t space, struct str key)
{
	struct dict_value v;
	struct head old;

	if (get_head(d, space, key, &v, &old) == 0)
		delete_pieces(d, space, &old, old.n_pieces);
	return dict_delete(d, space, key);
}
