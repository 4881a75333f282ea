/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies as Lua tables and back: forms, JSON, multipart/form-data (RFC 7578).
 */
#pragma once

#include "plugin/pdk.h"

#define PDK_MULTIPART_PARTS_MAX 1000

/* Pushes what get_body() returns: table, nil, mime; or nil, text, mime.  Never raises when
 * value_check_stack() was called.  mime: with parameters. */
int pdk_push_body(lua_State *L, struct arena *a, struct str body, struct str mime, long max_args);

/* What such a body is called in results: lower case, without parameters. */
struct str pdk_body_type(struct arena *a, struct str mime);

/* A table argument as a body of that content type (with parameters); the result in
 * *ret_body, the content type to send in *ret_type.  False: nil, text are pushed.
 * Raises "…" for a wrong type within. */
bool pdk_encode_body(
		lua_State *L, int arg, struct str mime, struct str *ret_body, struct str *ret_type);
