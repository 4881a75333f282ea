/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/otlp_pack.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "base/hex.h"
#include "plugin/exchange.h"
#include "worker/otlp.pb-c.h"

#define SEVERITY_INFO 9
#define LOG_ARENA_BYTES (1024U * 1024)
#define SCOPE_NAME "sluice"

/* The arena is exhausted: nothing that was made of it can be used. */
struct pack {
	struct arena *arena;
	bool is_failed;
};

static ProtobufCBinaryData bytes_of(const void *p, size_t n)
{
	return (ProtobufCBinaryData){.len = n, .data = (uint8_t *)(uintptr_t)p};
}

/* Bytes of the well-formed character at p (Unicode 15, table 3-7); 0 = it is none. */
static size_t char_length(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t first, last, low, high, length;
	} rows[] = {
			{0x00, 0x7f, 0, 0, 1},
			{0xc2, 0xdf, 0x80, 0xbf, 2},
			{0xe0, 0xe0, 0xa0, 0xbf, 3},
			{0xe1, 0xec, 0x80, 0xbf, 3},
			{0xed, 0xed, 0x80, 0x9f, 3},
			{0xee, 0xef, 0x80, 0xbf, 3},
			{0xf0, 0xf0, 0x90, 0xbf, 4},
			{0xf1, 0xf3, 0x80, 0xbf, 4},
			{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last)
			continue;
		if (n < rows[i].length)
			return 0;
		if (rows[i].length > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
			return 0;
		for (size_t k = 2; k < rows[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].length;
	}
	return 0;
}

/* s itself, or a copy with a '?' for each byte that is no UTF-8. */
static ProtobufCBinaryData text_of(struct pack *k, struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	uint8_t *copy = NULL;
	size_t at = 0, n;

	while (at < s.n) {
		n = char_length(p + at, s.n - at);
		if (n == 0 && copy == NULL) {
			copy = arena_alloc(k->arena, s.n);
			if (copy == NULL) {
				k->is_failed = true;
				return bytes_of(NULL, 0);
			}
			memcpy(copy, p, s.n);
		}
		if (n == 0)
			copy[at] = '?';
		at += n != 0 ? n : 1;
	}
	return bytes_of(copy != NULL ? copy : p, s.n);
}

static void *make(struct pack *k, size_t n)
{
	void *p = arena_calloc(k->arena, n != 0 ? n : 1);

	k->is_failed |= p == NULL;
	return p;
}

static Sluice__Otlp__AnyValue *value_of(struct pack *k, const struct value *v)
{
	Sluice__Otlp__AnyValue *a = make(k, sizeof(*a));

	if (a == NULL)
		return NULL;
	sluice__otlp__any_value__init(a);
	if (v->type == VALUE_BOOL) {
		a->value_case = SLUICE__OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		a->bool_value = v->boolean;
	} else if (v->type == VALUE_STRING) {
		a->value_case = SLUICE__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		a->string_value = text_of(k, v->string);
	} else if (fabs(v->number) < 9007199254740992.0 && v->number == floor(v->number)) {
		a->value_case = SLUICE__OTLP__ANY_VALUE__VALUE_INT_VALUE;
		a->int_value = (int64_t)v->number;
	} else {
		a->value_case = SLUICE__OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		a->double_value = v->number;
	}
	return a;
}

static Sluice__Otlp__KeyValue *pair_of(struct pack *k, struct str key, const struct value *v)
{
	Sluice__Otlp__KeyValue *p = make(k, sizeof(*p));

	if (p == NULL)
		return NULL;
	sluice__otlp__key_value__init(p);
	p->key = text_of(k, key);
	p->value = value_of(k, v);
	return p;
}

static Sluice__Otlp__KeyValue **pairs_of(
		struct pack *k, const struct span_attributes *a, size_t *ret_n)
{
	Sluice__Otlp__KeyValue **v = make(k, a->n * sizeof(*v));

	*ret_n = 0;
	for (const struct span_attribute *i = a->first; i != NULL && !k->is_failed; i = i->next)
		v[(*ret_n)++] = pair_of(k, i->key, &i->value);
	return v;
}

static Sluice__Otlp__Event *event_of(struct pack *k, const struct span_event *e)
{
	Sluice__Otlp__Event *p = make(k, sizeof(*p));

	if (p == NULL)
		return NULL;
	sluice__otlp__event__init(p);
	p->time_unix_nano = e->time_ns;
	p->name = text_of(k, e->name);
	p->attributes = pairs_of(k, &e->attributes, &p->n_attributes);
	p->dropped_attributes_count = e->attributes.n_dropped;
	return p;
}

static Sluice__Otlp__Link *link_of(struct pack *k, const struct span_link *l)
{
	Sluice__Otlp__Link *p = make(k, sizeof(*p));

	if (p == NULL)
		return NULL;
	sluice__otlp__link__init(p);
	p->trace_id = bytes_of(l->trace_id, TRACE_ID_BYTES);
	p->span_id = bytes_of(l->span_id, SPAN_ID_BYTES);
	p->attributes = pairs_of(k, &l->attributes, &p->n_attributes);
	return p;
}

static void pack_lists(struct pack *k, Sluice__Otlp__Span *p, const struct span *s)
{
	p->attributes = pairs_of(k, &s->attributes, &p->n_attributes);
	p->dropped_attributes_count = s->attributes.n_dropped;
	p->events = make(k, s->n_events * sizeof(Sluice__Otlp__Event *));
	for (const struct span_event *e = s->first_event; e != NULL && !k->is_failed; e = e->next)
		p->events[p->n_events++] = event_of(k, e);
	p->dropped_events_count = s->n_events_dropped;
	p->links = make(k, s->n_links * sizeof(Sluice__Otlp__Link *));
	for (const struct span_link *l = s->first_link; l != NULL && !k->is_failed; l = l->next)
		p->links[p->n_links++] = link_of(k, l);
	p->dropped_links_count = s->n_links_dropped;
}

static Sluice__Otlp__Span *span_of(struct pack *k, const struct trace *t, const struct span *s)
{
	static const uint8_t none[SPAN_ID_BYTES];
	const uint8_t *parent = s->parent != NULL ? s->parent->id : s->parent_id;
	Sluice__Otlp__Span *p = make(k, sizeof(*p));

	if (p == NULL)
		return NULL;
	sluice__otlp__span__init(p);
	p->trace_id = bytes_of(t->id, TRACE_ID_BYTES);
	p->span_id = bytes_of(s->id, SPAN_ID_BYTES);
	if (memcmp(parent, none, SPAN_ID_BYTES) != 0)
		p->parent_span_id = bytes_of(parent, SPAN_ID_BYTES);
	p->name = text_of(k, s->name);
	p->kind = s->kind;
	p->start_time_unix_nano = s->start_ns;
	p->end_time_unix_nano = s->end_ns;
	pack_lists(k, p, s);
	if (s->status != SPAN_UNSET)
		p->status = make(k, sizeof(*p->status));
	if (p->status != NULL) {
		sluice__otlp__status__init(p->status);
		p->status->code = s->status;
	}
	return p;
}

static int append(const ProtobufCMessage *m, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(m);

	if (!buf_reserve(out, n))
		return -ENOMEM;
	protobuf_c_message_pack(m, (uint8_t *)out->p + out->n);
	out->n += n;
	return 0;
}

int otlp_pack_spans(const struct trace *t, struct buf *out, uint32_t *ret_n)
{
	Sluice__Otlp__SpansPiece piece = SLUICE__OTLP__SPANS_PIECE__INIT;
	struct pack k = {.arena = t->arena};

	piece.spans = make(&k, t->n * sizeof(Sluice__Otlp__Span *));
	for (uint32_t i = 0; i < t->n && !k.is_failed; i++)
		if (t->v[i]->name.p != NULL && t->v[i]->should_sample)
			piece.spans[piece.n_spans++] = span_of(&k, t, t->v[i]);
	*ret_n = (uint32_t)piece.n_spans;
	if (k.is_failed)
		return -ENOMEM;
	return piece.n_spans != 0 ? append(&piece.base, out) : 0;
}

/* At most `max` of the record's own, then those of a table. */
static void log_attributes(
		struct pack *k, Sluice__Otlp__LogRecord *p, const struct telemetry_record *r)
{
	const struct {
		struct str key, text;
	} own[] = {
			{STR("message.type"), r->type},
			{STR("plugin.name"), r->plugin},
			{STR("plugin.id"), r->plugin_id},
			{STR("plugin.instance.name"), r->instance},
			{STR("request.id"), r->exchange != NULL ? str_of(r->exchange->request.id)
								: STR_NONE},
	};
	size_t n_own = sizeof(own) / sizeof(own[0]);
	uint32_t n = r->attributes != NULL ? r->attributes->n : 0;

	p->attributes = make(k, (n_own + n) * sizeof(Sluice__Otlp__KeyValue *));
	for (size_t i = 0; i < n_own && !k->is_failed; i++) {
		const struct value v = value_of_str(own[i].text);

		if (own[i].text.n != 0)
			p->attributes[p->n_attributes++] = pair_of(k, own[i].key, &v);
	}
	for (uint32_t i = 0; i < n && !k->is_failed; i++) {
		const struct value_pair *f = &r->attributes->v[i];

		if (f->key.type == VALUE_STRING &&
				(f->value.type == VALUE_BOOL || f->value.type == VALUE_NUMBER ||
						f->value.type == VALUE_STRING))
			p->attributes[p->n_attributes++] = pair_of(k, f->key.string, &f->value);
	}
}

int otlp_pack_log(const struct telemetry_record *r, struct buf *out)
{
	Sluice__Otlp__LogsPiece piece = SLUICE__OTLP__LOGS_PIECE__INIT;
	Sluice__Otlp__LogRecord p = SLUICE__OTLP__LOG_RECORD__INIT, *one = &p;
	const struct trace *t = r->exchange != NULL ? r->exchange->trace : NULL;
	const struct value message = value_of_str(r->message);
	sl_auto(arena) arena = NULL;
	struct pack k = {.is_failed = false};

	if (arena_new(&arena, LOG_ARENA_BYTES) != 0)
		return -ENOMEM;
	k.arena = arena;
	p.time_unix_nano = p.observed_time_unix_nano = clock_real_ns();
	p.severity_number = SEVERITY_INFO;
	p.severity_text = bytes_of("INFO", 4);
	if (r->message.p != NULL)
		p.body = value_of(&k, &message);
	if (t != NULL)
		p.trace_id = bytes_of(t->id, TRACE_ID_BYTES);
	if (t != NULL && t->active != NULL)
		p.span_id = bytes_of(t->active->id, SPAN_ID_BYTES);
	log_attributes(&k, &p, r);
	piece.records = &one;
	piece.n_records = 1;
	return k.is_failed ? -ENOMEM : append(&piece.base, out);
}

static int pack_scope(struct str batch, struct buf *out)
{
	Sluice__Otlp__ScopePiece piece = SLUICE__OTLP__SCOPE_PIECE__INIT;
	Sluice__Otlp__Scope scope = SLUICE__OTLP__SCOPE__INIT;

	scope.name = bytes_of(SCOPE_NAME, sizeof(SCOPE_NAME) - 1);
	scope.version = bytes_of(PACKAGE_VERSION, sizeof(PACKAGE_VERSION) - 1);
	piece.scope = &scope;
	if (append(&piece.base, out) != 0)
		return -ENOMEM;
	buf_add_str(out, batch);
	return out->is_failed ? -ENOMEM : 0;
}

int otlp_pack_request(struct str batch, struct str node_id, struct str hostname, struct buf *out)
{
	Sluice__Otlp__Request request = SLUICE__OTLP__REQUEST__INIT;
	Sluice__Otlp__ResourcePiece piece = SLUICE__OTLP__RESOURCE_PIECE__INIT;
	Sluice__Otlp__Resource resource = SLUICE__OTLP__RESOURCE__INIT;
	const struct value values[] = {value_of_str(STR("sluice")),
			value_of_str(STR(PACKAGE_VERSION)), value_of_str(node_id),
			value_of_str(hostname)};
	static const char *const keys[] = {
			"service.name", "service.version", "service.instance.id", "host.name"};
	Sluice__Otlp__KeyValue *pairs[4];
	sl_auto(arena) arena = NULL;
	sl_auto_buf scope = {.p = NULL};
	struct pack k = {.is_failed = false};

	if (arena_new(&arena, 0) != 0 || pack_scope(batch, &scope) != 0)
		return -ENOMEM;
	k.arena = arena;
	for (size_t i = 0; i < 4; i++)
		pairs[i] = pair_of(&k, str_of(keys[i]), &values[i]);
	resource.attributes = pairs;
	resource.n_attributes = 4;
	piece.resource = &resource;
	piece.scope = bytes_of(scope.p, scope.n);
	request.resource = &piece;
	return k.is_failed ? -ENOMEM : append(&request.base, out);
}
