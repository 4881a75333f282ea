/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain_trace.h"

#include <stdio.h>

#include "plugin/trace.h"

static const enum trace_part parts[PHASE_COUNT] = {
		[PHASE_CERTIFICATE] = TRACE_PART_COUNT,
		[PHASE_REWRITE] = TRACE_PLUGIN_REWRITE,
		[PHASE_ACCESS] = TRACE_PLUGIN_ACCESS,
		[PHASE_RESPONSE] = TRACE_PLUGIN_RESPONSE,
		[PHASE_HEADER_FILTER] = TRACE_PLUGIN_HEADER_FILTER,
		[PHASE_BODY_FILTER] = TRACE_PLUGIN_BODY_FILTER,
		[PHASE_LOG] = TRACE_PLUGIN_LOG,
};

void chain_trace_begin(struct chain *c, struct chain_slot *s)
{
	struct trace *t = c->x->trace;
	char name[200];
	int n;

	s->was_active = t->active;
	if (parts[c->phase] == TRACE_PART_COUNT || !trace_wants(t, parts[c->phase]))
		return;
	/* A body comes in pieces: one span from the first to the last. */
	s->span = c->phase == PHASE_BODY_FILTER ? s->body_span : NULL;
	if (s->span == NULL) {
		n = snprintf(name, sizeof(name), "kong.%s.plugin.%s", phase_name(c->phase),
				s->version->name);
		s->span = trace_start_span(t,
				str_head((struct str){name, sizeof(name) - 1}, (size_t)n), t->root,
				SPAN_INTERNAL);
	}
	if (c->phase == PHASE_BODY_FILTER)
		s->body_span = s->span;
	if (s->span != NULL)
		trace_set_active(t, s->span);
}

void chain_trace_end(struct chain *c, struct chain_slot *s, const struct why *why)
{
	struct trace *t = c->x->trace;

	if (s->span != NULL && why != NULL) {
		s->span->status = SPAN_ERROR;
		span_record_error(t, s->span, str_of(why->text));
	}
	if (s->span != NULL) {
		if (c->phase == PHASE_BODY_FILTER)
			s->span->end_ns = 0;
		trace_finish_span(t, s->span, 0);
		s->span = NULL;
		/* Whatever it left active is not the next plugin's parent. */
		t->active = s->was_active;
	}
}
