/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans as plugins hold them: tables that name a span of the request at hand by number and
 * know nothing more, so that a forged or outlived one reaches no other request.
 */
#pragma once

#include "plugin/pdk.h"
#include "plugin/trace.h"

/* The metatable of spans and the span that records nothing, made once per VM. */
void pdk_span_open(lua_State *L);
void pdk_push_span(lua_State *L, const struct span *s);
/* What start_span() gives where nothing is recorded. */
void pdk_push_noop_span(lua_State *L);
/* The span of this request that the table at idx stands for; NULL: none. */
struct span *pdk_to_span(lua_State *L, int idx);
/* NULL: tracing is off, or there is no request. */
struct trace *pdk_trace(lua_State *L);
/* A plugin's count of nanoseconds as an integer. */
uint64_t pdk_span_ns(double d);
/* The table at arg into a, as far as it fits. */
void pdk_span_take(lua_State *L, struct span_attributes *a, int arg);

/* Pushes one value: a field as it is now; tables are copies. */
typedef void pdk_span_get_fn(lua_State *L, const struct trace *t, const struct span *s);
/* NULL: spans have no such field. */
pdk_span_get_fn *pdk_span_field(const char *name);
