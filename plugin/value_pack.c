/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/value_pack.h"

#include <errno.h>
#include <string.h>

/* One byte for the type, then: a double, a length and bytes, or a flag, a count and pairs. */
enum pack_tag {
	PACK_NIL = 'n',
	PACK_NULL = '0',
	PACK_FALSE = 'f',
	PACK_TRUE = 't',
	PACK_NUMBER = 'd',
	PACK_STRING = 's',
	PACK_TABLE = 'T',
	PACK_ARRAY = 'A',
};

static void put(struct buf *b, enum pack_tag tag, const void *p, size_t n)
{
	const char byte = (char)tag;

	buf_add(b, &byte, 1);
	buf_add(b, p, n);
}

static void put_count(struct buf *b, enum pack_tag tag, size_t n)
{
	uint32_t count = (uint32_t)n;

	put(b, tag, &count, sizeof(count));
}

static void pack(struct buf *b, const struct value *v, size_t max)
{
	if (b->n > max || b->is_failed)
		return;
	switch (v->type) {
	case VALUE_NIL:
		put(b, PACK_NIL, NULL, 0);
		break;
	case VALUE_NULL:
		put(b, PACK_NULL, NULL, 0);
		break;
	case VALUE_BOOL:
		put(b, v->boolean ? PACK_TRUE : PACK_FALSE, NULL, 0);
		break;
	case VALUE_NUMBER:
		put(b, PACK_NUMBER, &v->number, sizeof(v->number));
		break;
	case VALUE_STRING:
		put_count(b, PACK_STRING, v->string.n);
		if (v->string.n <= max)
			buf_add_str(b, v->string);
		break;
	case VALUE_TABLE:
		put_count(b, v->table->is_array ? PACK_ARRAY : PACK_TABLE, v->table->n);
		for (uint32_t i = 0; i < v->table->n; i++) {
			pack(b, &v->table->v[i].key, max);
			pack(b, &v->table->v[i].value, max);
		}
		break;
	}
}

static bool is_too_long(const struct value *v, size_t max)
{
	return v->type == VALUE_STRING && v->string.n > max;
}

int value_pack(struct buf *b, const struct value *v, size_t max)
{
	size_t start = b->n;

	if (is_too_long(v, max))
		return -E2BIG;
	pack(b, v, start + max);
	if (b->is_failed)
		return -ENOMEM;
	return b->n - start > max ? -E2BIG : 0;
}

struct unpacker {
	struct arena *a;
	struct str rest;
	uint32_t nodes_left;
};

static bool take(struct unpacker *u, void *ret, size_t n)
{
	if (u->rest.n < n)
		return false;
	memcpy(ret, u->rest.p, n);
	u->rest = str_from(u->rest, n);
	return true;
}

static int unpack(struct unpacker *u, struct value *ret, int depth);

static int unpack_string(struct unpacker *u, struct value *ret)
{
	uint32_t n;

	if (!take(u, &n, sizeof(n)) || n > u->rest.n)
		return -EINVAL;
	*ret = value_of_str(str_head(u->rest, n));
	u->rest = str_from(u->rest, n);
	return 0;
}

static bool is_key(const struct value *v)
{
	return v->type == VALUE_STRING || v->type == VALUE_BOOL ||
	       (v->type == VALUE_NUMBER && v->number == v->number);
}

static int unpack_pairs(struct unpacker *u, struct value *table, uint32_t n, int depth)
{
	struct value key, item;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = unpack(u, &key, depth);
		if (r == 0 && !is_key(&key))
			r = -EINVAL;
		if (r == 0)
			r = unpack(u, &item, depth);
		if (r == 0)
			r = value_append(u->a, table->table, key, item);
	}
	return r;
}

/* Two bytes at least for each pair: a count cannot ask for more memory than there are bytes. */
static int unpack_table(struct unpacker *u, struct value *ret, bool is_array, int depth)
{
	uint32_t n;

	if (!take(u, &n, sizeof(n)) || n > u->rest.n / 2 || depth >= VALUE_DEPTH_MAX)
		return -EINVAL;
	*ret = value_table_make(u->a);
	if (ret->table == NULL)
		return -ENOMEM;
	ret->table->is_array = is_array;
	return unpack_pairs(u, ret, n, depth + 1);
}

static int unpack(struct unpacker *u, struct value *ret, int depth)
{
	char tag;

	if (u->nodes_left-- == 0 || !take(u, &tag, 1))
		return -EINVAL;
	*ret = (struct value){.type = VALUE_NIL};
	switch (tag) {
	case PACK_NIL:
		return 0;
	case PACK_NULL:
		ret->type = VALUE_NULL;
		return 0;
	case PACK_FALSE:
	case PACK_TRUE:
		*ret = (struct value){.type = VALUE_BOOL, .boolean = tag == PACK_TRUE};
		return 0;
	case PACK_NUMBER:
		ret->type = VALUE_NUMBER;
		return take(u, &ret->number, sizeof(ret->number)) ? 0 : -EINVAL;
	case PACK_STRING:
		return unpack_string(u, ret);
	case PACK_TABLE:
	case PACK_ARRAY:
		return unpack_table(u, ret, tag == PACK_ARRAY, depth);
	default:
		return -EINVAL;
	}
}

int value_unpack(struct arena *a, struct str bytes, struct value *ret)
{
	struct unpacker u = {.a = a, .rest = bytes, .nodes_left = 2 * VALUE_NODES_MAX};
	int r = unpack(&u, ret, 0);

	return r == 0 && u.rest.n != 0 ? -EINVAL : r;
}
