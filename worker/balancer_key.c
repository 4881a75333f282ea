/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request is hashed by.
 */
#include <jansson.h>
#include <string.h>

#include "base/hex.h"
#include "worker/balancer.h"

#define KEY_SEED 0x6b65U

/* One side of an upstream's hash settings. */
struct hash_by {
	const char *what, *header, *query_arg, *uri_capture;
	const Sluice__Record__Upstream *rec;
};

typedef bool key_fn(const struct hash_by *by, struct exchange *x, uint64_t *ret);

static bool key_of(struct str value, uint64_t *ret)
{
	if (value.n == 0)
		return false;
	*ret = balancer_hash(KEY_SEED, value);
	return true;
}

static bool key_none(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	(void)by, (void)x, (void)ret;
	return false;
}

static bool key_consumer(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	(void)by;
	return key_of(x->consumer.id, ret);
}

static bool key_ip(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	(void)by;
	return key_of(x->request.real_client.ip, ret);
}

static bool key_path(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	(void)by;
	return key_of(x->request.path, ret);
}

/* Of several fields of that name all count. */
static bool key_header(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	const struct header *f = headers_find(&x->request.headers, str_of(by->header));
	uint64_t h = KEY_SEED;
	bool has_any = f != NULL;

	for (; f != NULL; f = headers_next(&x->request.headers, f))
		h = balancer_hash(h, f->value);
	*ret = h;
	return has_any;
}

/* Of name=value among others; as it is written, so that equal texts go to one target. */
static struct str value_in(struct str list, char between, struct str name)
{
	while (list.n != 0) {
		ptrdiff_t end = str_find_char(list, between);
		struct str one = str_trim(end < 0 ? list : str_head(list, (size_t)end));

		list = end < 0 ? STR_NONE : str_from(list, (size_t)end + 1);
		if (one.n > name.n && str_starts(one, name) && one.p[name.n] == '=')
			return str_from(one, name.n + 1);
	}
	return STR_NONE;
}

static bool key_query_arg(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	return key_of(value_in(x->request.raw_query, '&', str_of(by->query_arg)), ret);
}

static bool key_uri_capture(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	struct str text = x->uri_captures_json;
	json_t *doc = text.n != 0 ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	const json_t *value = json_object_get(json_object_get(doc, "named"), by->uri_capture);
	uint64_t n;
	bool has_it;

	if (value == NULL && str_to_u64(str_of(by->uri_capture), &n))
		value = json_array_get(json_object_get(doc, "unnamed"), (size_t)n);
	has_it = json_is_string(value) &&
		 key_of((struct str){json_string_value(value), json_string_length(value)}, ret);
	json_decref(doc);
	return has_it;
}

static struct str cookie_get(const struct exchange *x, struct str name)
{
	const struct header *f = headers_find(&x->request.headers, STR("cookie"));

	for (; f != NULL; f = headers_next(&x->request.headers, f)) {
		struct str value = value_in(f->value, ';', name);

		if (value.n != 0)
			return value;
	}
	return STR_NONE;
}

/* A client that has none gets one: its next requests come to the same target. */
static bool key_cookie(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	struct str name = str_of(by->rec->hash_on_cookie), value = cookie_get(x, name), field;
	char uuid[UUID_TEXT_BYTES];

	if (value.n != 0)
		return key_of(value, ret);
	uuid_make(uuid);
	field = arena_printf(x->arena, "%.*s=%s; Path=%s", STR_ARG(name), uuid,
			by->rec->hash_on_cookie_path);
	if (field.p == NULL || headers_add(&x->response.headers, STR("Set-Cookie"), field) != 0)
		return false;
	return key_of(str_of(uuid), ret);
}

static const struct {
	const char *what;
	key_fn *fn;
} keys[] = {
		{"none", key_none},
		{"consumer", key_consumer},
		{"ip", key_ip},
		{"header", key_header},
		{"cookie", key_cookie},
		{"path", key_path},
		{"query_arg", key_query_arg},
		{"uri_capture", key_uri_capture},
};

static bool key_by(const struct hash_by *by, struct exchange *x, uint64_t *ret)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].what, by->what) == 0)
			return keys[i].fn(by, x, ret);
	return false;
}

bool balancer_key(const struct balancer *b, struct exchange *x, uint64_t *ret)
{
	const Sluice__Record__Upstream *r = b->rec;
	struct hash_by on, fallback;

	if (r == NULL || strcmp(r->algorithm, "consistent-hashing") != 0)
		return false;
	on = (struct hash_by){r->hash_on, r->hash_on_header, r->hash_on_query_arg,
			r->hash_on_uri_capture, r};
	fallback = (struct hash_by){r->hash_fallback, r->hash_fallback_header,
			r->hash_fallback_query_arg, r->hash_fallback_uri_capture, r};
	return key_by(&on, x, ret) || key_by(&fallback, x, ret);
}
