/* SPDX-License-Identifier: Apache-2.0
 *
 * Header fields between Lua and a struct headers, with the reference's checks and texts.
 */
#pragma once

#include "plugin/pdk.h"
#include "plugin/value.h"

/* A table of at most max names in lower case → string | array; indexing it ignores case and
 * takes '_' for '-'. */
void pdk_push_headers(lua_State *L, const struct headers *h, long max);
/* The same as results of a call: the table, and "truncated" when there are more than max. */
int pdk_return_headers(lua_State *L, const struct headers *h, long max);
/* First value or nil; name: argument `arg`, else raises `text`. */
int pdk_push_header(lua_State *L, const struct headers *h, int arg, const char *text);

#define PDK_FRAMING_TEXT "manually setting Transfer-Encoding. Ignored."

enum pdk_header_change { PDK_HEADER_SET, PDK_HEADER_ADD };

/* name, value: arguments of that index, checked as set_header() does.  The value becomes one
 * field, or one per element of an array; "" is sent as " ". */
void pdk_change_header(lua_State *L, struct headers *h, int name, int value,
		enum pdk_header_change change);
/* The argument is a table of name → value: each replaces the fields of its name.
 * skip: lower-case name left out and handed to *ret_skipped (NULL when unused). */
void pdk_set_headers(
		lua_State *L, struct headers *h, int arg, struct str skip, struct str *ret_skipped);
/* The same for a response: '-' for '_' in names, and Transfer-Encoding left out with a warning. */
void pdk_set_response_headers(lua_State *L, struct headers *h, int arg);
/* '-' for '_' in the string at idx: names in responses are so, as nginx makes them. */
void pdk_dash_name(lua_State *L, int idx);
/* A header value (string, number, boolean) as text in the request's arena; raises otherwise. */
struct str pdk_header_text(lua_State *L, struct str name, int value);
