/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/pdk_query.h"

#define BEGIN STR("{vault://")
#define NAME_MAX_BYTES 256

bool vault_is_reference(struct str text)
{
	return text.n > BEGIN.n + 1 && str_starts(text, BEGIN) && text.p[text.n - 1] == '}';
}

static int refuse(struct why *why, const char *what, struct str text)
{
	why_set(why, NULL, 0, "%s [%.*s]", what, text.n < 200 ? (int)text.n : 200, text.p);
	return -EINVAL;
}

/* What is behind c goes to *ret_rest. */
static struct str cut(struct str s, char c, struct str *ret_rest)
{
	ptrdiff_t at = str_find_char(s, c);

	*ret_rest = at < 0 ? STR_NONE : str_from(s, (size_t)at + 1);
	return at < 0 ? s : str_head(s, (size_t)at);
}

static ptrdiff_t last_slash(struct str s)
{
	for (size_t i = s.n; i-- > 0;)
		if (s.p[i] == '/')
			return (ptrdiff_t)i;
	return -1;
}

int vault_parse(struct arena *a, struct str text, struct vault_reference *ret, struct why *why)
{
	struct str rest, path, version;
	uint64_t number = 0;
	ptrdiff_t slash;

	*ret = (struct vault_reference){.name = STR_NONE};
	if (!vault_is_reference(text))
		return refuse(why, "not a reference", text);
	rest = cut(str_head(str_from(text, BEGIN.n), text.n - BEGIN.n - 1), '#', &version);
	rest = cut(rest, '?', &ret->query);
	ret->name = cut(rest, '/', &path);
	if (ret->name.n == 0)
		return refuse(why, "reference url is missing host", text);
	if (path.p == NULL)
		return refuse(why, "reference url is missing path", text);
	if (path.n == 0)
		return refuse(why, "reference url has empty path", text);
	ret->has_version = version.p != NULL;
	if (ret->has_version && (!str_to_u64(version, &number) || number > UINT32_MAX))
		return refuse(why, "reference url has invalid version", text);
	ret->version = (unsigned)number;
	slash = last_slash(path);
	if (slash >= 0)
		ret->key = query_unescape(a, str_from(path, (size_t)slash + 1));
	ret->resource = query_unescape(a, slash >= 0 ? str_head(path, (size_t)slash) : path);
	return ret->resource.n != 0 ? 0 : refuse(why, "reference url has invalid path", text);
}

static struct str option(struct arena *a, struct str query, struct str name)
{
	struct query_item item;

	while (query_next(&query, &item))
		if (query_name_is(item.name, name))
			return query_unescape(a, item.value);
	return STR_NONE;
}

/* prefix and resource in capitals, '_' for '-'; NULL: none that can be. */
static const char *variable(struct arena *a, const struct vault_reference *ref)
{
	struct str prefix = option(a, ref->query, STR("prefix"));
	char name[NAME_MAX_BYTES];
	size_t n = prefix.n + ref->resource.n;

	if (n >= sizeof(name))
		return NULL;
	if (prefix.n != 0)
		memcpy(name, prefix.p, prefix.n);
	memcpy(name + prefix.n, ref->resource.p, ref->resource.n);
	name[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '-')
			name[i] = '_';
		else if (name[i] >= 'a' && name[i] <= 'z')
			name[i] = (char)(name[i] - ('a' - 'A'));
	}
	if (strlen(name) != n || str_starts((struct str){name, n}, STR("SLUICE_")))
		return NULL;
	return getenv(name);
}

/* The field `key` of the JSON object in value. */
static int subfield(struct arena *a, const char *value, struct str key, struct str *ret)
{
	json_t *json = json_loads(value, 0, NULL);
	const json_t *field = json_object_getn(json, key.p, key.n);
	char *text = NULL;

	if (json_is_string(field))
		*ret = arena_str(a,
				(struct str){json_string_value(field), json_string_length(field)});
	else if (field != NULL && !json_is_null(field))
		text = json_dumps(field, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text != NULL)
		*ret = arena_str(a, str_of(text));
	free(text);
	json_decref(json);
	return ret->p != NULL ? 0 : -ENOENT;
}

int vault_get(struct arena *a, struct str text, struct str *ret, struct why *why)
{
	struct vault_reference ref;
	const char *value;
	int r = vault_parse(a, text, &ref, why);

	*ret = STR_NONE;
	if (r != 0)
		return r;
	if (!str_eq(ref.name, STR("env")))
		return refuse(why, "could not find vault", text);
	value = variable(a, &ref);
	if (value == NULL) {
		refuse(why, "could not get value from external vault (no value found)", text);
		return -ENOENT;
	}
	if (ref.key.n == 0) {
		*ret = arena_str(a, str_of(value));
		return ret->p != NULL ? 0 : -ENOENT;
	}
	r = subfield(a, value, ref.key, ret);
	if (r != 0)
		refuse(why, "there is no such field in the JSON text of the secret", text);
	return r;
}
