/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks across the fields of a record.  A check is a row: its name, the fields it looks at,
 * whether it runs when one of them is missing or already wrong, and its function.
 */
#include "plugin/schema_part.h"

#include <string.h>

#include "base/check.h"

struct entity_check {
	const json_t *def; /* of the record */
	const json_t *record;
	const json_t *arg;
	bool is_partial; /* of an update that sent only some fields */
	struct buf msg;  /* for @entity */
	json_t *errors;  /* of the record, borrowed: for errors of single fields */
};

/* True = passed. */
typedef bool check_fn(struct entity_check *c);

static bool is_empty(const json_t *value)
{
	if (value == NULL || json_is_null(value))
		return true;
	if (json_is_string(value))
		return json_string_length(value) == 0;
	return (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static const json_t *value_at(const struct entity_check *c, const char *path)
{
	return path != NULL ? schema_get_path(c->record, path) : NULL;
}

static size_t count_set(const struct entity_check *c, const json_t *names)
{
	size_t n = 0;
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		n += is_empty(value_at(c, json_string_value(name))) ? 0 : 1;
	return n;
}

/* 'a', 'b' */
static void print_quoted(struct buf *out, const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		buf_printf(out, "%s'%s'", i > 0 ? ", " : "", json_string_value(name));
}

static bool fail_list(struct entity_check *c, const char *text, const json_t *names)
{
	buf_printf(&c->msg, "%s%s: ", c->is_partial ? "when updating, " : "", text);
	print_quoted(&c->msg, names);
	return false;
}

static bool check_at_least_one_of(struct entity_check *c)
{
	return count_set(c, c->arg) > 0 ||
	       fail_list(c, "at least one of these fields must be non-empty", c->arg);
}

static bool check_only_one_of(struct entity_check *c)
{
	c->is_partial = false;
	return count_set(c, c->arg) == 1 ||
	       fail_list(c, "exactly one of these fields must be non-empty", c->arg);
}

static bool check_mutually_required(struct entity_check *c)
{
	size_t n = count_set(c, c->arg);

	c->is_partial = false;
	return n == 0 || n == json_array_size(c->arg) ||
	       fail_list(c, "all or none of these fields must be set", c->arg);
}

static bool check_mutually_exclusive(struct entity_check *c)
{
	c->is_partial = false;
	return count_set(c, c->arg) <= 1 ||
	       fail_list(c, "only one or none of these fields must be set", c->arg);
}

static bool check_distinct(struct entity_check *c)
{
	sl_auto_json *seen = json_object();
	json_t *name;
	size_t i;

	json_array_foreach (c->arg, i, name) {
		const json_t *value = value_at(c, json_string_value(name));
		sl_auto_buf key = {0};

		/* Tables are never the same one. */
		if (is_empty(value) || json_is_array(value) || json_is_object(value))
			continue;
		buf_printf(&key, "%d:", json_is_string(value));
		schema_print_value(&key, value);
		if (json_object_get(seen, buf_z(&key)) != NULL) {
			c->is_partial = false;
			return fail_list(c, "values of these fields must be distinct", c->arg);
		}
		json_object_set_new(seen, buf_z(&key), json_true());
	}
	return true;
}

static void print_set_members(struct entity_check *c, const json_t *names)
{
	sl_auto_json *set = json_array();
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		if (!is_empty(value_at(c, json_string_value(name))))
			json_array_append(set, name);
	}
	buf_printf(&c->msg, "(");
	print_quoted(&c->msg, set);
	buf_printf(&c->msg, ")");
}

static bool check_mutually_exclusive_sets(struct entity_check *c)
{
	const json_t *set1 = json_object_get(c->arg, "set1");
	const json_t *set2 = json_object_get(c->arg, "set2");

	if (count_set(c, set1) == 0 || count_set(c, set2) == 0)
		return true;
	buf_printf(&c->msg, "these sets are mutually exclusive: ");
	print_set_members(c, set1);
	buf_printf(&c->msg, ", ");
	print_set_members(c, set2);
	return false;
}

/* The value against the field's own definition with the validators of `match` on top. */
static bool matches_field(
		struct entity_check *c, const char *path, const char *match, json_t **ret_error)
{
	const json_t *def = schema_def_path(c->def, path);
	const json_t *extra = json_object_get(c->arg, match);
	sl_auto_json *merged = def != NULL ? json_copy(schema_each(def)) : json_object();

	json_object_update(merged, schema_each(extra));
	return schema_check_field(merged, value_at(c, path), ret_error);
}

static const char *arg_text(const struct entity_check *c, const char *name)
{
	return json_string_value(json_object_get(c->arg, name));
}

/* text with its first %s replaced. */
static void print_custom(struct buf *out, const char *text, const char *value)
{
	const char *at = strstr(text, "%s");

	if (at == NULL) {
		buf_printf(out, "%s", text);
		return;
	}
	buf_add(out, text, (size_t)(at - text));
	buf_printf(out, "%s%s", value, at + 2);
}

/* errors["a"]["b"] = error (stolen) for "a.b"; what is there already stays. */
static void set_error_path(json_t *errors, const char *path, json_t *error)
{
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		json_t *inner = json_object_getn(errors, path, (size_t)(dot - path));

		if (inner == NULL) {
			inner = json_object();
			json_object_setn_new(errors, path, (size_t)(dot - path), inner);
		}
		if (!json_is_object(inner))
			break;
		errors = inner;
		path = dot + 1;
	}
	if (strchr(path, '.') != NULL || json_object_get(errors, path) != NULL)
		json_decref(error);
	else
		json_object_set_new(errors, path, error);
}

static bool check_conditional(struct entity_check *c)
{
	const char *if_field = arg_text(c, "if_field");
	const char *then_field = arg_text(c, "then_field");
	const char *then_err = arg_text(c, "then_err");
	sl_auto_json *ignored = NULL;
	json_t *error = NULL;

	if (!matches_field(c, if_field, "if_match", &ignored))
		return true;
	if (matches_field(c, then_field, "then_match", &error))
		return true;
	set_error_path(c->errors, then_field, error);
	print_custom(&c->msg,
			then_err != NULL
					? then_err
					: "failed conditional validation given value of field '%s'",
			if_field);
	return false;
}

static bool one_of_branch(struct entity_check *c, const char *names, const char *err)
{
	const json_t *list = json_object_get(c->arg, names);
	const char *own = arg_text(c, err);
	sl_auto_buf quoted = {0};

	if (list == NULL || count_set(c, list) > 0)
		return true;
	if (own == NULL)
		return fail_list(c, "at least one of these fields must be non-empty", list);
	print_quoted(&quoted, list);
	print_custom(&c->msg, own, quoted.n > 0 ? buf_z(&quoted) : "");
	return false;
}

static bool check_conditional_at_least_one_of(struct entity_check *c)
{
	const char *if_field = arg_text(c, "if_field");
	sl_auto_json *ignored = NULL;
	sl_auto_json *ignored_too = NULL;

	if (value_at(c, if_field) == NULL)
		return true;
	if (matches_field(c, if_field, "if_match", &ignored))
		return one_of_branch(c, "then_at_least_one_of", "then_err");
	if (json_object_get(c->arg, "else_match") == NULL ||
			!matches_field(c, if_field, "else_match", &ignored_too))
		return true;
	return one_of_branch(c, "else_then_at_least_one_of", "else_then_err");
}

enum check_fields {
	FIELDS_ARE_ARG,  /* the argument is the list of names */
	FIELDS_IN_SETS,  /* set1 and set2 */
	FIELDS_IF_THEN,  /* if_field, then_field */
	FIELDS_IF_LISTS, /* if_field, then_at_least_one_of, else_then_at_least_one_of */
};

static const struct check_row {
	const char *name;
	enum check_fields fields;
	bool runs_with_missing, runs_with_invalid;
	check_fn *fn;
} rows[] = {
		{"at_least_one_of", FIELDS_ARE_ARG, true, true, check_at_least_one_of},
		{"only_one_of", FIELDS_ARE_ARG, false, true, check_only_one_of},
		{"distinct", FIELDS_ARE_ARG, false, true, check_distinct},
		{"mutually_required", FIELDS_ARE_ARG, true, false, check_mutually_required},
		{"mutually_exclusive", FIELDS_ARE_ARG, true, false, check_mutually_exclusive},
		{"mutually_exclusive_sets", FIELDS_IN_SETS, true, false,
				check_mutually_exclusive_sets},
		{"conditional", FIELDS_IF_THEN, false, true, check_conditional},
		{"conditional_at_least_one_of", FIELDS_IF_LISTS, true, true,
				check_conditional_at_least_one_of},
};

/* Prepared definitions hold known checks only. */
static const struct check_row *row_of(const char *name)
{
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) && strcmp(rows[i].name, name) != 0)
		i++;
	sl_assert(i < sizeof(rows) / sizeof(rows[0]));
	return &rows[i];
}

static json_t *sources_of(const struct check_row *row, const json_t *arg)
{
	static const char *const members[][3] = {
			[FIELDS_ARE_ARG] = {NULL},
			[FIELDS_IN_SETS] = {"set1", "set2", NULL},
			[FIELDS_IF_THEN] = {"if_field", "then_field", NULL},
			[FIELDS_IF_LISTS] = {"if_field", "then_at_least_one_of",
					"else_then_at_least_one_of"},
	};
	json_t *sources = json_array();

	if (row->fields == FIELDS_ARE_ARG)
		json_array_extend(sources, schema_each(arg));
	for (size_t i = 0; i < 3 && members[row->fields][i] != NULL; i++) {
		json_t *member = json_object_get(arg, members[row->fields][i]);

		if (json_is_array(member))
			json_array_extend(sources, member);
		else if (json_is_string(member))
			json_array_append(sources, member);
	}
	return sources;
}

/* What is known of the fields a check looks at, before it runs. */
struct sources_state {
	bool any_invalid, any_reference, any_given;
};

static void look_at(struct sources_state *state, const struct entity_check *c, const char *path,
		const json_t *given)
{
	const json_t *value = value_at(c, path);
	const json_t *def = schema_def_path(c->def, path);

	if (schema_get_path(c->errors, path) != NULL)
		state->any_invalid = true;
	if (def != NULL && value != NULL && schema_has_reference(def, value))
		state->any_reference = true;
	if (given != NULL && schema_get_path(given, path) != NULL)
		state->any_given = true;
}

/* Without these a check says nothing: all of a list, but of a condition only its premise.  What
 * may be absent has been filled with null before. */
static bool are_sources_there(
		const struct check_row *row, struct entity_check *c, const json_t *sources)
{
	bool are_there = true;
	json_t *name;
	size_t i;

	json_array_foreach (sources, i, name) {
		const char *path = json_string_value(name);

		if (value_at(c, path) != NULL || (row->fields == FIELDS_IF_THEN && i > 0))
			continue;
		are_there = false;
		if (schema_def_path(c->def, path) != NULL && strchr(path, '.') == NULL)
			json_object_set_new(c->errors, path,
					schema_message("field required for entity check%s",
							c->is_partial ? " when updating" : ""));
	}
	return are_there;
}

static bool is_to_run(const struct check_row *row, struct entity_check *c, const json_t *sources,
		const json_t *given)
{
	struct sources_state state = {false, false, false};
	json_t *name;
	size_t i;

	json_array_foreach (sources, i, name)
		look_at(&state, c, json_string_value(name), given);
	if (given != NULL && !state.any_given)
		return false;
	if (state.any_reference)
		return false;
	if (state.any_invalid && !row->runs_with_invalid)
		return false;
	return row->runs_with_missing || are_sources_there(row, c, sources);
}

static void add_entity_error(json_t *errors, struct buf *msg)
{
	json_t *list = json_object_get(errors, "@entity");

	if (list == NULL) {
		list = json_array();
		json_object_set_new(errors, "@entity", list);
	}
	json_array_append_new(list, json_stringn(msg->p, msg->n));
}

void schema_run_entity_checks(
		const json_t *record_def, const json_t *record, const json_t *given, json_t *errors)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(record_def, "entity_checks"), i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		const struct check_row *row = row_of(name);
		struct entity_check c = {.def = record_def,
				.record = record,
				.arg = json_object_get(entry, name),
				.is_partial = given != NULL,
				.errors = errors};
		sl_auto_json *sources = sources_of(row, c.arg);

		if (is_to_run(row, &c, sources, given) && !row->fn(&c))
			add_entity_error(errors, &c.msg);
		buf_done(&c.msg);
	}
}
