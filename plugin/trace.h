/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace of one request: spans of the gateway and of its plugins, which each have a VM of
 * their own, under one trace id (OpenTelemetry's model).  Lives in the request's arena, bounded
 * in number and size; knows neither Lua nor who will get it.  Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "plugin/phase.h"
#include "plugin/value.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
/* Of one request; what is over is counted and dropped. */
#define TRACE_SPANS_MAX 1000
#define TRACE_BYTES_MAX (512U * 1024)
/* Of one span: attributes, events, links, each. */
#define SPAN_ITEMS_MAX 128
#define SPAN_TEXT_MAX 4096 /* bytes of one name or value; longer ones are cut */

/* What the gateway itself records: tracing_instrumentations.  X(id, name) */
/* clang-format off */
#define TRACE_PART_TABLE(X) \
	X(REQUEST, "request") \
	X(ROUTER, "router") \
	X(DNS, "dns_query") \
	X(BALANCER, "balancer") \
	X(UPSTREAM, "upstream") \
	X(PLUGIN_REWRITE, "plugin_rewrite") \
	X(PLUGIN_ACCESS, "plugin_access") \
	X(PLUGIN_RESPONSE, "plugin_response") \
	X(PLUGIN_HEADER_FILTER, "plugin_header_filter") \
	X(PLUGIN_BODY_FILTER, "plugin_body_filter") \
	X(PLUGIN_LOG, "plugin_log") \
	X(DB_QUERY, "db_query") \
	X(HTTP_CLIENT, "http_client")
/* clang-format on */

enum trace_part {
#define X(id, name) TRACE_##id,
	TRACE_PART_TABLE(X)
#undef X
			TRACE_PART_COUNT
};
#define TRACE_BIT(part) (1U << (part))

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT };
enum span_status { SPAN_UNSET, SPAN_OK, SPAN_ERROR };

struct span_attribute {
	struct str key;
	struct value value; /* BOOL, NUMBER or STRING */
	struct span_attribute *next;
};

struct span_attributes {
	struct span_attribute *first, **end;
	uint32_t n, n_dropped;
};

struct span_event {
	struct str name;
	uint64_t time_ns;
	struct span_attributes attributes;
	struct span_event *next;
};

struct span_link {
	uint8_t trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES];
	struct span_attributes attributes;
	struct span_link *next;
};

/* Times are of the real clock. */
struct span {
	uint32_t serial, index; /* of its trace; in trace.v */
	int kind, status;
	uint8_t id[SPAN_ID_BYTES];
	struct span *parent;              /* in this trace; NULL: none, or elsewhere */
	uint8_t parent_id[SPAN_ID_BYTES]; /* of a parent elsewhere; zeros: none */
	struct str name;                  /* p == NULL: not linked yet */
	uint64_t start_ns, end_ns;        /* end 0: not finished */
	bool should_sample, is_active;
	struct span_attributes attributes;
	struct span_event *first_event, **event_end;
	struct span_link *first_link, **link_end;
	uint32_t n_events, n_events_dropped, n_links, n_links_dropped;
};

struct trace {
	struct arena *arena;
	uint8_t id[TRACE_ID_BYTES];
	uint8_t parent_id[SPAN_ID_BYTES]; /* the client's span; zeros: none */
	uint32_t parts;                   /* TRACE_BITs the gateway records */
	uint32_t serial;                  /* another one for each request of the process */
	double rate;                      /* tracing_sampling_rate */
	bool is_sampled;
	struct span **v;
	uint32_t n, cap;
	struct span *root, *active;
	struct value_table *baggage; /* NULL: nothing */
	size_t bytes;
	uint32_t n_dropped; /* spans */
};

/* NULL = out of memory. */
struct trace *trace_new(struct arena *a, const uint8_t id[TRACE_ID_BYTES]);
/* Does the gateway record that part of this request? */
static inline bool trace_wants(const struct trace *t, enum trace_part part)
{
	return t != NULL && t->is_sampled && (t->parts & TRACE_BIT(part)) != 0;
}
/* OpenTelemetry's ratio: the same answer for the same id everywhere. */
bool trace_is_chosen(const uint8_t id[TRACE_ID_BYTES], double rate);
/* The bits of "all" or of comma-separated names; unknown names are skipped. */
uint32_t trace_parts(const char *list);

/* A span that is not in the list of spans yet: no name, no times.  NULL: bounds reached, counted
 * in n_dropped. */
struct span *trace_make_span(struct trace *t, struct span *parent);
/* Names and starts it. start_ns 0: now.  0, -ENOMEM */
int trace_link_span(struct trace *t, struct span *s, struct str name, uint64_t start_ns);
/* Both; name is copied. */
struct span *trace_start_span(struct trace *t, struct str name, struct span *parent, int kind);
/* The first call counts; end_ns 0: now.  An active span hands over to its parent. */
void trace_finish_span(struct trace *t, struct span *s, uint64_t end_ns);
/* s becomes the parent of what starts from here on. NULL: none */
void trace_set_active(struct trace *t, struct span *s);
/* Of every span, and of those to come. */
void trace_set_sampled(struct trace *t, bool is_sampled);
/* The id's owner, or NULL. */
struct span *trace_find_span(const struct trace *t, const uint8_t id[SPAN_ID_BYTES]);
void span_new_id(uint8_t ret[SPAN_ID_BYTES]);

/* Sets, replaces, or (VALUE_NIL) removes.  Copies.  What is no string, number or boolean, and
 * what is over the bounds, is dropped. */
void span_set(struct trace *t, struct span_attributes *a, struct str key, struct value v);
void span_set_text(struct trace *t, struct span *s, const char *key, struct str text);
void span_set_number(struct trace *t, struct span *s, const char *key, double d);
/* Every field of a table with string keys. */
void span_set_all(struct trace *t, struct span_attributes *a, const struct value_table *table);
/* NULL: dropped.  time_ns 0: now */
struct span_event *span_add_event(
		struct trace *t, struct span *s, struct str name, uint64_t time_ns);
struct span_link *span_add_link(struct trace *t, struct span *s,
		const uint8_t trace_id[TRACE_ID_BYTES], const uint8_t span_id[SPAN_ID_BYTES]);
/* An event "exception", and nothing else. */
void span_record_error(struct trace *t, struct span *s, struct str text);
