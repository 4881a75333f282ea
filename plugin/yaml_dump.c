/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/yaml_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define NUMBER_MAX 32
#define INTEGER_MAX 9007199254740992.0 /* 2^53: above it "%.17g" */

struct writer {
	yaml_emitter_t emitter;
	struct arena *arena;
	struct buf *out;
	size_t max;
	struct why *why;
};

static int refuse(struct writer *w, const char *what)
{
	why_set(w->why, NULL, 0, "%s", what);
	return -EINVAL;
}

static int take(void *arg, unsigned char *p, size_t n)
{
	struct writer *w = arg;

	if (w->out->n + n > w->max)
		return 0;
	buf_add(w->out, p, n);
	return !w->out->is_failed;
}

/* The emitter owns the event from here on. */
static int emit(struct writer *w, yaml_event_t *event, int is_made)
{
	if (is_made != 1)
		return refuse(w, "a text is not UTF-8");
	if (yaml_emitter_emit(&w->emitter, event) == 1)
		return 0;
	if (w->out->is_failed || w->emitter.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return refuse(w, w->emitter.error == YAML_WRITER_ERROR ? "too much data"
							       : "this cannot be written");
}

static int write_scalar(struct writer *w, struct str text, yaml_scalar_style_t style)
{
	yaml_event_t event;
	int r;

	if (text.n > w->max)
		return refuse(w, "too much data");
	r = yaml_scalar_event_initialize(
			&event, NULL, NULL, (const yaml_char_t *)text.p, (int)text.n, 1, 1, style);
	return emit(w, &event, r);
}

/* Quoted when the bare text would be read as something else. */
static int write_text(struct writer *w, struct str text)
{
	yaml_scalar_style_t style = YAML_ANY_SCALAR_STYLE;
	struct str copy = arena_str(w->arena, text);
	struct value v;

	if (copy.p == NULL)
		return -ENOMEM;
	if (memchr(text.p, '\n', text.n) != NULL)
		style = YAML_LITERAL_SCALAR_STYLE;
	else if (!yaml_scalar(YAML_KIND_ANY, copy, &v) || v.type != VALUE_STRING ||
			str_eq(text, STR("<<")))
		style = YAML_SINGLE_QUOTED_SCALAR_STYLE;
	return write_scalar(w, text, style);
}

static int write_number(struct writer *w, double v)
{
	char text[NUMBER_MAX];

	if (isnan(v))
		(void)snprintf(text, sizeof(text), ".nan");
	else if (isinf(v))
		(void)snprintf(text, sizeof(text), v > 0 ? ".inf" : "-.inf");
	else if (v == floor(v) && fabs(v) < INTEGER_MAX)
		(void)snprintf(text, sizeof(text), "%.0f", v);
	else
		(void)snprintf(text, sizeof(text), "%.14g", v);
	if (isfinite(v) && strtod(text, NULL) != v)
		(void)snprintf(text, sizeof(text), "%.17g", v);
	return write_scalar(w, str_of(text), YAML_PLAIN_SCALAR_STYLE);
}

/* ---- tables ---- */

static int write_value(struct writer *w, const struct value *v);

/* The elements in order; NULL: its keys are not 1 … n, or the arena is used up. */
static const struct value **list_of(struct writer *w, const struct value_table *t)
{
	const struct value **v = arena_calloc(w->arena, (t->n + 1) * sizeof(const struct value *));

	for (uint32_t i = 0; v != NULL && i < t->n; i++) {
		double at = t->v[i].key.type == VALUE_NUMBER ? t->v[i].key.number : 0;

		if (!(at >= 1 && at <= t->n) || at != floor(at) || v[(size_t)at - 1] != NULL)
			return NULL;
		v[(size_t)at - 1] = &t->v[i].value;
	}
	return v;
}

static int write_list(struct writer *w, const struct value **v, uint32_t n)
{
	yaml_event_t event;
	int r = yaml_sequence_start_event_initialize(
			&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
	int err = emit(w, &event, r);

	for (uint32_t i = 0; i < n && err == 0; i++)
		err = write_value(w, v[i]);
	return err != 0 ? err : emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

static int compare(const void *a, const void *b)
{
	const struct value *x = &(*(struct value_pair *const *)a)->key;
	const struct value *y = &(*(struct value_pair *const *)b)->key;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->type == VALUE_STRING)
		return str_cmp(x->string, y->string);
	if (x->type == VALUE_NUMBER)
		return (x->number > y->number) - (x->number < y->number);
	return (int)x->boolean - (int)y->boolean;
}

static int write_map(struct writer *w, const struct value_table *t)
{
	const struct value_pair **v =
			arena_alloc(w->arena, (t->n + 1) * sizeof(const struct value_pair *));
	yaml_event_t event;
	int err;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++)
		v[i] = &t->v[i];
	qsort(v, t->n, sizeof(*v), compare);
	err = emit(w, &event,
			yaml_mapping_start_event_initialize(
					&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	for (uint32_t i = 0; i < t->n && err == 0; i++) {
		err = write_value(w, &v[i]->key);
		if (err == 0)
			err = write_value(w, &v[i]->value);
	}
	return err != 0 ? err : emit(w, &event, yaml_mapping_end_event_initialize(&event));
}

static int write_table(struct writer *w, const struct value_table *t)
{
	const struct value **list = list_of(w, t);

	return list != NULL ? write_list(w, list, t->n) : write_map(w, t);
}

static int write_value(struct writer *w, const struct value *v)
{
	switch (v->type) {
	case VALUE_NIL:
	case VALUE_NULL:
		return write_scalar(w, STR("~"), YAML_PLAIN_SCALAR_STYLE);
	case VALUE_BOOL:
		return write_scalar(w, v->boolean ? STR("true") : STR("false"),
				YAML_PLAIN_SCALAR_STYLE);
	case VALUE_NUMBER:
		return write_number(w, v->number);
	case VALUE_STRING:
		return write_text(w, v->string);
	case VALUE_TABLE:
		break;
	}
	return write_table(w, v->table);
}

/* ---- documents ---- */

static int write_document(struct writer *w, const struct value *v)
{
	yaml_event_t event;
	int r = yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 0);
	int err = emit(w, &event, r);

	if (err == 0)
		err = write_value(w, v);
	return err != 0 ? err : emit(w, &event, yaml_document_end_event_initialize(&event, 0));
}

static int write_all(struct writer *w, const struct value_table *t)
{
	const struct value **v = list_of(w, t);
	yaml_event_t event;
	int err;

	if (v == NULL)
		return refuse(w, "a list of documents expected");
	err = emit(w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	for (uint32_t i = 0; i < t->n && err == 0; i++)
		err = write_document(w, v[i]);
	return err != 0 ? err : emit(w, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_dump(struct arena *a, struct buf *out, const struct value *documents, size_t max,
		struct why *why)
{
	struct writer *w = arena_calloc(a, sizeof(*w));
	int err;

	if (w == NULL || yaml_emitter_initialize(&w->emitter) != 1)
		return -ENOMEM;
	w->arena = a;
	w->out = out;
	w->max = max;
	w->why = why;
	yaml_emitter_set_output(&w->emitter, take, w);
	yaml_emitter_set_unicode(&w->emitter, 1);
	err = documents->type == VALUE_TABLE ? write_all(w, documents->table)
					     : refuse(w, "a list of documents expected");
	yaml_emitter_delete(&w->emitter);
	return err;
}
