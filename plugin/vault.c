/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/query.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define BEGIN STR("{vault://")
#define NAME_MAX_BYTES 256
#define ARENA_MAX (1U << 20)

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

/* config.prefix of a configured vault, in a; false: it is no vault of the environment. */
static bool read_prefix(struct arena *a, const Sluice__Record__Vault *vault, struct str *ret)
{
	json_t *config = json_loadb((const char *)vault->config.data, vault->config.len, 0, NULL);
	const json_t *prefix = json_object_get(config, "prefix");

	if (json_is_string(prefix))
		*ret = arena_str(a, (struct str){json_string_value(prefix),
						    json_string_length(prefix)});
	json_decref(config);
	return strcmp(vault->name, "env") == 0;
}

/* The vault of that name: the environment by itself, or as configured.  *ret_prefix: in front of
 * its variables. */
static bool find_vault(struct arena *a, const struct snap_view *view, struct str name,
		struct str *ret_prefix)
{
	Sluice__Record__Vault *vault = NULL;
	struct str record = STR_NONE;
	bool is_found;

	*ret_prefix = STR_NONE;
	if (str_eq(name, STR("env")))
		return true;
	if (view != NULL)
		record = snap_get_by_name(view, SLUICE__RECORD__KIND__VAULT, name);
	if (record.n != 0)
		vault = sluice__record__vault__unpack(NULL, record.n, (const uint8_t *)record.p);
	if (vault == NULL)
		return false;
	is_found = read_prefix(a, vault, ret_prefix);
	sluice__record__vault__free_unpacked(vault, NULL);
	return is_found;
}

/* prefix and resource in capitals, '_' for '-'; NULL: none that can be.  A prefix of the reference
 * goes before the vault's own. */
static const char *variable(struct arena *a, const struct vault_reference *ref, struct str prefix)
{
	struct str own = option(a, ref->query, STR("prefix"));
	char name[NAME_MAX_BYTES];
	size_t n;

	prefix = own.p != NULL ? own : prefix;
	n = prefix.n + ref->resource.n;
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

/* As Lua names it. */
static const char *type_name(const json_t *json)
{
	if (json_is_boolean(json))
		return "boolean";
	if (json_is_number(json))
		return "number";
	return json_is_null(json) ? "userdata" : "table";
}

static int fail(struct why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct why *why, const char *fmt, ...)
{
	char text[sizeof(why->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	why_set(why, NULL, 0, "could not get value from external vault (%s)", text);
	return -ENOENT;
}

/* Of flat JSON objects, strings only. */
static int take_field(struct arena *a, const json_t *json, struct str key, struct str *ret,
		struct why *why)
{
	const json_t *field = json_object_getn(json, key.p, key.n);
	const char *begin = "could not get subfield value:";

	if (field == NULL)
		return fail(why, "%s subfield %.*s not found in JSON secret", begin, STR_ARG(key));
	if (!json_is_string(field))
		return fail(why, "%s unexpected %s value in JSON secret for subfield %.*s", begin,
				type_name(field), STR_ARG(key));
	*ret = arena_str(a, (struct str){json_string_value(field), json_string_length(field)});
	return ret->p != NULL ? 0 : -ENOMEM;
}

static int subfield(struct arena *a, const char *value, struct str key, struct str *ret,
		struct why *why)
{
	json_error_t error;
	json_t *json = json_loads(value, JSON_DECODE_ANY, &error);
	int r;

	if (json == NULL)
		r = fail(why, "could not get subfield value: unable to json decode value (nil): %s",
				error.text);
	else if (!json_is_object(json) && !json_is_array(json))
		r = fail(why,
				"could not get subfield value: unable to json decode value (%.*s): "
				"nil",
				64, value);
	else
		r = take_field(a, json, key, ret, why);
	json_decref(json);
	return r;
}

int vault_get(struct arena *a, const struct snap_view *view, struct str text, struct str *ret,
		struct why *why)
{
	struct vault_reference ref;
	struct str prefix;
	const char *value;
	int r = vault_parse(a, text, &ref, why);

	*ret = STR_NONE;
	if (r != 0)
		return r;
	if (!find_vault(a, view, ref.name, &prefix)) {
		why_set(why, NULL, 0, "could not find vault (%.*s)", STR_ARG(ref.name));
		return -EINVAL;
	}
	value = variable(a, &ref, prefix);
	if (value == NULL)
		return fail(why, "no value found");
	if (ref.key.n != 0)
		return subfield(a, value, ref.key, ret, why);
	*ret = arena_str(a, str_of(value));
	return ret->p != NULL ? 0 : -ENOMEM;
}

static bool add_stamp(void *arg, struct str id, uint64_t version, struct str record)
{
	uint64_t *stamp = arg;

	(void)record;
	for (size_t i = 0; i < id.n; i++)
		*stamp = (*stamp ^ (uint8_t)id.p[i]) * 1099511628211U;
	*stamp = (*stamp ^ version) * 1099511628211U;
	return true;
}

uint64_t vault_stamp(const struct snap_view *view)
{
	uint64_t stamp = 14695981039346656037U;

	if (snap_count(view, SLUICE__RECORD__KIND__VAULT) != 0)
		snap_each(view, SLUICE__RECORD__KIND__VAULT, add_stamp, &stamp);
	return stamp;
}

char *vault_text(const struct snap_view *view, const char *text, struct why *why)
{
	sl_auto(arena) a = NULL;
	struct str value;

	if (!vault_is_reference(str_of(text)))
		return strdup(text);
	if (arena_new(&a, ARENA_MAX) != 0 || vault_get(a, view, str_of(text), &value, why) != 0)
		return NULL;
	return strndup(value.p, value.n);
}
