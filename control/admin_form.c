/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- names: a.b[2].c ---- */

struct step {
	struct str key;
	enum { STEP_MEMBER, STEP_APPEND, STEP_INDEX } kind;
	size_t index; /* 0-based */
};

struct steps {
	struct step v[ADMIN_FORM_DEPTH_MAX];
	size_t n;
};

static int add_step(struct steps *steps, struct step step, struct why *why)
{
	if (steps->n == ADMIN_FORM_DEPTH_MAX) {
		why_set(why, NULL, 0, "a form field nests deeper than %d", ADMIN_FORM_DEPTH_MAX);
		return -EINVAL;
	}
	steps->v[steps->n++] = step;
	return 0;
}

static int add_bracket(struct steps *steps, struct str inside, struct why *why)
{
	struct step step = {.kind = STEP_APPEND};
	uint64_t number;

	if (inside.n != 0) {
		if (!str_to_u64(inside, &number))
			return add_step(steps, (struct step){.key = inside}, why);
		if (number < 1 || number > ADMIN_FORM_INDEX_MAX) {
			why_set(why, NULL, 0, "an index of a form field must be between 1 and %d",
					ADMIN_FORM_INDEX_MAX);
			return -EINVAL;
		}
		step = (struct step){.kind = STEP_INDEX, .index = (size_t)number - 1};
	}
	return add_step(steps, step, why);
}

/* member, then any number of [..] */
static int split_member(struct str part, struct steps *steps, struct why *why)
{
	ptrdiff_t open = str_find_char(part, '[');
	int r = 0;

	if (open != 0)
		r = add_step(steps,
				(struct step){.key = open < 0 ? part
							      : str_head(part, (size_t)open)},
				why);
	while (r == 0 && open >= 0) {
		struct str rest = str_from(part, (size_t)open + 1);
		ptrdiff_t close = str_find_char(rest, ']');

		if (close < 0) {
			why_set(why, NULL, 0, "a form field has '[' without ']'");
			return -EINVAL;
		}
		r = add_bracket(steps, str_head(rest, (size_t)close), why);
		part = str_from(rest, (size_t)close + 1);
		open = str_find_char(part, '[');
	}
	return r;
}

static int split_name(struct str name, struct steps *steps, struct why *why)
{
	ptrdiff_t dot;
	int r = 0;

	while (r == 0 && (dot = str_find_char(name, '.')) >= 0) {
		r = split_member(str_head(name, (size_t)dot), steps, why);
		name = str_from(name, (size_t)dot + 1);
	}
	return r == 0 ? split_member(name, steps, why) : r;
}

/* ---- values into the tree ---- */

static json_t *container_for(const struct step *next)
{
	return next->kind == STEP_MEMBER ? json_object() : json_array();
}

static json_t *child_get(const json_t *at, const struct step *step)
{
	if (step->kind == STEP_MEMBER)
		return json_object_getn(at, step->key.p, step->key.n);
	return step->kind == STEP_INDEX ? json_array_get(at, step->index) : NULL;
}

static int child_set(json_t *at, const struct step *step, json_t *value)
{
	if (step->kind == STEP_MEMBER)
		return json_object_setn_new(at, step->key.p, step->key.n, value);
	if (step->kind == STEP_APPEND)
		return json_array_append_new(at, value);
	while (json_array_size(at) <= step->index) {
		if (json_array_append_new(at, json_null()) != 0)
			break;
	}
	return json_array_set_new(at, step->index, value);
}

static bool fits(const json_t *at, const struct step *step)
{
	return step->kind == STEP_MEMBER ? json_is_object(at) : json_is_array(at);
}

/* The second value of a plain name makes a list of both. */
static int set_last(json_t *at, const struct step *step, json_t *value)
{
	json_t *before = step->kind == STEP_MEMBER ? child_get(at, step) : NULL;

	if (before == NULL)
		return child_set(at, step, json_incref(value));
	if (json_is_array(before))
		return json_array_append(before, value);
	return child_set(at, step, json_pack("[O, O]", before, value));
}

int admin_form_set(json_t *object, struct str name, json_t *value, struct why *why)
{
	struct steps steps = {.n = 0};
	json_t *at = object;
	int r = split_name(name, &steps, why);

	for (size_t i = 0; r == 0 && i < steps.n; i++) {
		json_t *child;

		if (!fits(at, &steps.v[i])) {
			why_set(why, NULL, 0,
					"form field '%.*s' is used both as a value and as a list "
					"or record",
					(int)(name.n < 200 ? name.n : 200), name.p);
			return -EINVAL;
		}
		if (i + 1 == steps.n) {
			r = set_last(at, &steps.v[i], value) == 0 ? 0 : -EINVAL;
			break;
		}
		child = child_get(at, &steps.v[i]);
		if (child == NULL || json_is_null(child)) {
			child = container_for(&steps.v[i + 1]);
			if (child_set(at, &steps.v[i], child) != 0)
				r = -EINVAL;
		}
		at = child;
	}
	if (r != 0 && why->text[0] == '\0')
		why_set(why, NULL, 0, "a form field's name is not valid UTF-8");
	return r;
}

/* ---- application/x-www-form-urlencoded ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; a % that starts no valid pair stays as it is. */
static size_t url_decode(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		int hi = i + 2 < n ? hex_digit(p[i + 1]) : -1;
		int lo = i + 2 < n ? hex_digit(p[i + 2]) : -1;

		if (p[i] == '%' && i + 2 < n && hi >= 0 && lo >= 0) {
			p[out++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			p[out++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	return out;
}

static int set_text(json_t *object, struct str name, struct str value, struct why *why)
{
	json_t *v = value.n == 0 ? json_null() : json_stringn(value.p, value.n);
	int r;

	if (v == NULL) {
		why_set(why, NULL, 0, "a form value is not valid UTF-8");
		return -EINVAL;
	}
	r = name.n == 0 ? 0 : admin_form_set(object, name, v, why);
	json_decref(v);
	return r;
}

static int parse_pair(json_t *object, char *p, size_t n, struct why *why)
{
	char *equal = memchr(p, '=', n);
	size_t name_n = equal != NULL ? (size_t)(equal - p) : n;
	size_t value_n = equal != NULL ? n - name_n - 1 : 0;
	char *value = p + n - value_n;

	/* the byte behind each part is a separator, so that a %XX at its end is seen whole */
	name_n = url_decode(p, name_n + 1) - 1;
	value_n = url_decode(value, value_n + 1) - 1;
	return set_text(object, (struct str){p, name_n}, (struct str){value, value_n}, why);
}

int admin_form_parse(struct str body, json_t **ret, struct why *why)
{
	sl_auto_mem char *copy = malloc(body.n + 1);
	json_t *object = json_object();
	unsigned fields = 0;
	size_t at = 0;
	int r = copy == NULL || object == NULL ? -ENOMEM : 0;

	if (r == 0 && body.n != 0)
		memcpy(copy, body.p, body.n);
	if (r == 0)
		copy[body.n] = '&';
	while (r == 0 && at < body.n) {
		char *end = memchr(copy + at, '&', body.n + 1 - at);
		size_t n = (size_t)(end - (copy + at));

		if (++fields > ADMIN_FORM_FIELDS_MAX) {
			why_set(why, NULL, 0, "the form has more than %d fields",
					ADMIN_FORM_FIELDS_MAX);
			r = -EINVAL;
		} else if (n != 0) {
			r = parse_pair(object, copy + at, n, why);
		}
		at += n + 1;
	}
	if (r != 0) {
		json_decref(object);
		return r;
	}
	*ret = object;
	return 0;
}

/* ---- JSON ---- */

int admin_json_parse(struct str body, json_t **ret, struct why *why)
{
	json_error_t error;
	json_t *v = json_loadb(body.p, body.n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

	if (v == NULL) {
		why_set(why, NULL, error.line, "%s", error.text);
		return -EINVAL;
	}
	*ret = v;
	return 0;
}
