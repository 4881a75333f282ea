/* SPDX-License-Identifier: Apache-2.0
 *
 * Error objects as text, in the reference's form: entity errors first, then fields by name;
 * one level of nesting as "a.b: …", what is deeper as a table literal.
 */
#include "plugin/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/schema_part.h"

struct sorted_keys {
	const char **v;
	size_t n;
};

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sorted_keys_done(struct sorted_keys *keys)
{
	free(keys->v);
}

static void sorted_keys_init(struct sorted_keys *keys, const json_t *object)
{
	const char *key;
	json_t *value;

	keys->n = 0;
	keys->v = calloc(json_object_size(object) + 1, sizeof(*keys->v));
	if (keys->v == NULL)
		return;
	json_object_foreach (schema_each(object), key, value)
		keys->v[keys->n++] = key;
	qsort(keys->v, keys->n, sizeof(*keys->v), compare_keys);
}

#define sl_auto_keys __attribute__((cleanup(sorted_keys_done))) struct sorted_keys

static bool is_identifier(const char *key)
{
	if (*key == '\0' || isdigit((unsigned char)*key))
		return false;
	while (isalnum((unsigned char)*key) || *key == '_')
		key++;
	return *key == '\0';
}

static void print_quoted(struct buf *out, const char *text)
{
	buf_printf(out, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else if (*text == '\n')
			buf_printf(out, "\\n");
		else
			buf_add(out, text, 1);
	}
	buf_printf(out, "\"");
}

static void print_table(struct buf *out, const json_t *value);

static void print_array_members(struct buf *out, const json_t *list)
{
	bool has_gap = false;
	bool is_first = true;
	json_t *member;
	size_t i;

	json_array_foreach (list, i, member) {
		if (json_is_null(member)) {
			has_gap = true;
			continue;
		}
		buf_printf(out, "%s", is_first ? "" : ",");
		if (has_gap)
			buf_printf(out, "[%zu]=", i + 1);
		print_table(out, member);
		is_first = false;
	}
}

/* {"a",[3]="b"}, {name="c"} */
static void print_table(struct buf *out, const json_t *value)
{
	sl_auto_keys keys = {NULL, 0};

	if (json_is_string(value)) {
		print_quoted(out, json_string_value(value));
		return;
	}
	buf_printf(out, "{");
	print_array_members(out, value);
	sorted_keys_init(&keys, value);
	for (size_t i = 0; i < keys.n; i++) {
		buf_printf(out, "%s", i > 0 ? "," : "");
		if (is_identifier(keys.v[i]))
			buf_printf(out, "%s=", keys.v[i]);
		else
			buf_printf(out, "[\"%s\"]=", keys.v[i]);
		print_table(out, json_object_get(value, keys.v[i]));
	}
	buf_printf(out, "}");
}

/* "; " between entries; counts them. */
struct text_out {
	struct buf buf;
	size_t n;
};

static void next_entry(struct text_out *out)
{
	if (out->n++ > 0)
		buf_printf(&out->buf, "; ");
}

static void print_error(struct text_out *out, const json_t *error)
{
	if (json_is_string(error))
		buf_printf(&out->buf, "%s", json_string_value(error));
	else
		print_table(&out->buf, error);
}

static void print_field(struct text_out *out, const char *name, const json_t *error)
{
	sl_auto_keys keys = {NULL, 0};
	json_t *member;
	size_t i;

	json_array_foreach (error, i, member) {
		if (json_is_null(member))
			continue;
		next_entry(out);
		buf_printf(&out->buf, "%s.%zu: ", name, i + 1);
		print_error(out, member);
	}
	sorted_keys_init(&keys, error);
	for (i = 0; i < keys.n; i++) {
		next_entry(out);
		buf_printf(&out->buf, "%s.%s: ", name, keys.v[i]);
		print_error(out, json_object_get(error, keys.v[i]));
	}
	if (!json_is_string(error))
		return;
	next_entry(out);
	buf_printf(&out->buf, "%s: %s", name, json_string_value(error));
}

char *schema_error_text(const json_t *errors)
{
	struct text_out out = {.n = 0};
	sl_auto_buf text = {0};
	sl_auto_keys keys = {NULL, 0};
	json_t *general;
	size_t i;

	json_array_foreach (json_object_get(errors, "@entity"), i, general) {
		next_entry(&out);
		print_error(&out, general);
	}
	sorted_keys_init(&keys, errors);
	for (i = 0; i < keys.n; i++) {
		if (strcmp(keys.v[i], "@entity") != 0)
			print_field(&out, keys.v[i], json_object_get(errors, keys.v[i]));
	}
	if (out.n > 1)
		buf_printf(&text, "%zu schema violations (", out.n);
	else
		buf_printf(&text, "schema violation (");
	buf_add_str(&text, buf_str(&out.buf));
	buf_printf(&text, ")");
	buf_done(&out.buf);
	return text.is_failed ? NULL : strdup(buf_z(&text));
}

static void visit(const json_t *error, const char *path, schema_error_fn *fn, void *arg)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(error))
		fn(arg, path, json_string_value(error));
	json_array_foreach (error, i, member) {
		sl_auto_buf inner = {0};

		buf_printf(&inner, "%s.%zu", path, i + 1);
		visit(member, buf_z(&inner), fn, arg);
	}
	if (!json_is_object(error))
		return;
	json_object_foreach (schema_each(error), key, member) {
		sl_auto_buf inner = {0};
		size_t k;
		json_t *general;

		if (strcmp(key, "@entity") == 0) {
			json_array_foreach (member, k, general)
				visit(general, path, fn, arg);
			continue;
		}
		buf_printf(&inner, "%s%s%s", path, *path != '\0' ? "." : "", key);
		visit(member, buf_z(&inner), fn, arg);
	}
}

void schema_error_each(const json_t *errors, schema_error_fn *fn, void *arg)
{
	visit(errors, "", fn, arg);
}
