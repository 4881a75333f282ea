/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trace.h"

#include <errno.h>

#include "base/clock.h"
#include "base/hex.h"

#define TWO_TO_64 18446744073709551616.0

static uint32_t last_serial;

struct trace *trace_new(struct arena *a, const uint8_t id[TRACE_ID_BYTES])
{
	struct trace *t = arena_calloc(a, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->arena = a;
	t->serial = ++last_serial;
	memcpy(t->id, id, TRACE_ID_BYTES);
	return t;
}

bool trace_is_chosen(const uint8_t id[TRACE_ID_BYTES], double rate)
{
	uint64_t n;

	if (rate >= 1)
		return true;
	if (!(rate > 0))
		return false;
	memcpy(&n, id + SPAN_ID_BYTES, sizeof(n));
	return (double)n < rate * TWO_TO_64;
}

static uint32_t part_bit(struct str name)
{
	static const char *const names[] = {
#define X(id, name) name,
			TRACE_PART_TABLE(X)
#undef X
	};

	if (str_ieq(name, STR("all")))
		return TRACE_BIT(TRACE_PART_COUNT) - 1;
	for (unsigned i = 0; i < TRACE_PART_COUNT; i++)
		if (str_ieq(name, str_of(names[i])))
			return TRACE_BIT(i);
	return 0;
}

uint32_t trace_parts(const char *list)
{
	uint32_t bits = 0;

	while (*list != '\0') {
		size_t n = strcspn(list, ",");

		bits |= part_bit(str_trim((struct str){list, n}));
		list += n + (list[n] == ',');
	}
	return bits;
}

void span_new_id(uint8_t ret[SPAN_ID_BYTES])
{
	static uint8_t pool[4096];
	static size_t at = sizeof(pool);

	if (at == sizeof(pool)) {
		random_bytes(pool, sizeof(pool));
		at = 0;
	}
	memcpy(ret, pool + at, SPAN_ID_BYTES);
	ret[0] |= 1; /* an id of zeros means none */
	at += SPAN_ID_BYTES;
}

/* Room of this request's trace; NULL = it has had its share. */
static void *take(struct trace *t, size_t n)
{
	if (t->bytes + n > TRACE_BYTES_MAX)
		return NULL;
	t->bytes += n;
	return arena_calloc(t->arena, n);
}

/* A copy, cut to SPAN_TEXT_MAX; STR_NONE = no room. */
static struct str take_text(struct trace *t, struct str s)
{
	struct str cut = str_head(s, SPAN_TEXT_MAX);
	char *copy = take(t, cut.n + 1);

	if (copy == NULL)
		return STR_NONE;
	if (cut.n != 0)
		memcpy(copy, cut.p, cut.n);
	return (struct str){copy, cut.n};
}

/* A place in the list. */
static bool grow(struct trace *t)
{
	uint32_t cap = t->cap != 0 ? t->cap * 2 : 16;
	struct span **v;

	if (t->n < t->cap)
		return true;
	v = arena_grow(t->arena, t->v, t->cap * sizeof(struct span *), cap * sizeof(struct span *));
	if (v == NULL)
		return false;
	t->v = v;
	t->cap = cap;
	return true;
}

struct span *trace_make_span(struct trace *t, struct span *parent)
{
	struct span *s = NULL;

	if (t->n < TRACE_SPANS_MAX && grow(t))
		s = take(t, sizeof(*s));
	if (s == NULL) {
		t->n_dropped++;
		return NULL;
	}
	s->serial = t->serial;
	s->index = t->n;
	s->kind = SPAN_INTERNAL;
	s->parent = parent;
	s->should_sample = t->is_sampled;
	s->attributes.end = &s->attributes.first;
	s->event_end = &s->first_event;
	s->link_end = &s->first_link;
	if (parent == NULL)
		memcpy(s->parent_id, t->parent_id, SPAN_ID_BYTES);
	span_new_id(s->id);
	t->v[t->n++] = s;
	return s;
}

int trace_link_span(struct trace *t, struct span *s, struct str name, uint64_t start_ns)
{
	s->name = take_text(t, name);
	if (s->name.p == NULL)
		return -ENOMEM;
	s->start_ns = start_ns != 0 ? start_ns : clock_real_ns();
	if (t->root == NULL)
		t->root = s;
	return 0;
}

struct span *trace_start_span(struct trace *t, struct str name, struct span *parent, int kind)
{
	struct span *s = trace_make_span(t, parent);

	if (s == NULL || trace_link_span(t, s, name, 0) != 0)
		return NULL;
	s->kind = kind;
	return s;
}

void trace_finish_span(struct trace *t, struct span *s, uint64_t end_ns)
{
	if (s == NULL || s->end_ns != 0)
		return;
	s->end_ns = end_ns != 0 ? end_ns : clock_real_ns();
	if (s->end_ns < s->start_ns)
		s->end_ns = s->start_ns;
	if (s->is_active && t->active == s)
		trace_set_active(t, s->parent);
	s->is_active = false;
}

void trace_set_active(struct trace *t, struct span *s)
{
	if (s != NULL)
		s->is_active = true;
	t->active = s;
}

void trace_set_sampled(struct trace *t, bool is_sampled)
{
	t->is_sampled = is_sampled;
	for (uint32_t i = 0; i < t->n; i++)
		t->v[i]->should_sample = is_sampled;
}

struct span *trace_find_span(const struct trace *t, const uint8_t id[SPAN_ID_BYTES])
{
	for (uint32_t i = t->n; i > 0; i--)
		if (memcmp(t->v[i - 1]->id, id, SPAN_ID_BYTES) == 0)
			return t->v[i - 1];
	return NULL;
}

static void remove_attribute(struct span_attributes *a, struct span_attribute **at)
{
	struct span_attribute *gone = *at;

	*at = gone->next;
	if (*at == NULL)
		a->end = at;
	a->n--;
}

/* False: it cannot be kept. */
static bool take_value(struct trace *t, struct value v, struct value *ret)
{
	*ret = v;
	if (v.type == VALUE_STRING)
		ret->string = take_text(t, v.string);
	return v.type == VALUE_BOOL || v.type == VALUE_NUMBER ||
	       (v.type == VALUE_STRING && ret->string.p != NULL);
}

void span_set(struct trace *t, struct span_attributes *a, struct str key, struct value v)
{
	struct span_attribute **at = &a->first, *made;
	struct value kept;

	key = str_head(key, SPAN_TEXT_MAX);
	while (*at != NULL && !str_eq((*at)->key, key))
		at = &(*at)->next;
	if (v.type == VALUE_NIL || v.type == VALUE_NULL) {
		if (*at != NULL)
			remove_attribute(a, at);
		return;
	}
	made = *at;
	if ((made == NULL && a->n >= SPAN_ITEMS_MAX) || !take_value(t, v, &kept)) {
		a->n_dropped++;
		return;
	}
	if (made == NULL) {
		made = take(t, sizeof(*made));
		if (made != NULL)
			made->key = take_text(t, key);
		if (made == NULL || made->key.p == NULL) {
			a->n_dropped++;
			return;
		}
		*a->end = made;
		a->end = &made->next;
		a->n++;
	}
	made->value = kept;
}

void span_set_text(struct trace *t, struct span *s, const char *key, struct str text)
{
	if (s != NULL && text.p != NULL)
		span_set(t, &s->attributes, str_of(key), value_of_str(text));
}

void span_set_number(struct trace *t, struct span *s, const char *key, double d)
{
	if (s != NULL)
		span_set(t, &s->attributes, str_of(key),
				(struct value){.type = VALUE_NUMBER, .number = d});
}

void span_set_all(struct trace *t, struct span_attributes *a, const struct value_table *table)
{
	for (uint32_t i = 0; table != NULL && i < table->n; i++)
		if (table->v[i].key.type == VALUE_STRING)
			span_set(t, a, table->v[i].key.string, table->v[i].value);
}

struct span_event *span_add_event(
		struct trace *t, struct span *s, struct str name, uint64_t time_ns)
{
	struct span_event *e = s->n_events < SPAN_ITEMS_MAX ? take(t, sizeof(*e)) : NULL;

	if (e != NULL)
		e->name = take_text(t, name);
	if (e == NULL || e->name.p == NULL) {
		s->n_events_dropped++;
		return NULL;
	}
	e->time_ns = time_ns != 0 ? time_ns : clock_real_ns();
	e->attributes.end = &e->attributes.first;
	*s->event_end = e;
	s->event_end = &e->next;
	s->n_events++;
	return e;
}

struct span_link *span_add_link(struct trace *t, struct span *s,
		const uint8_t trace_id[TRACE_ID_BYTES], const uint8_t span_id[SPAN_ID_BYTES])
{
	struct span_link *l = s->n_links < SPAN_ITEMS_MAX ? take(t, sizeof(*l)) : NULL;

	if (l == NULL) {
		s->n_links_dropped++;
		return NULL;
	}
	memcpy(l->trace_id, trace_id, TRACE_ID_BYTES);
	memcpy(l->span_id, span_id, SPAN_ID_BYTES);
	l->attributes.end = &l->attributes.first;
	*s->link_end = l;
	s->link_end = &l->next;
	s->n_links++;
	return l;
}

void span_record_error(struct trace *t, struct span *s, struct str text)
{
	struct span_event *e = s != NULL ? span_add_event(t, s, STR("exception"), 0) : NULL;

	if (e != NULL)
		span_set(t, &e->attributes, STR("exception.message"), value_of_str(text));
}
