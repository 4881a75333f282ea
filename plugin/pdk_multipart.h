/* SPDX-License-Identifier: Apache-2.0
 *
 * multipart/form-data (RFC 7578, RFC 2046 5.1.1): fields of a body, and a body of fields.
 */
#pragma once

#include <lua.h>

#include "base/arena.h"
#include "plugin/value.h"

/* The boundary parameter of a content type, unquoted; n == 0 = none. */
struct str multipart_boundary(struct str content_type);

struct multipart_part {
	struct str name, content;
};

/* Cuts the next part off *rest, which starts as the whole body.  1, 0 at the end, -EINVAL
 * when the body is not of that form. */
int multipart_next(struct str *rest, struct str boundary, struct multipart_part *ret);

/* Fields in order of their names.  0, -ENOMEM, -EINVAL with *ret_text (static). */
int multipart_encode(struct arena *a, const struct value *table, struct str boundary,
		struct str *ret, const char **ret_text);

/* Pushes name → string | array; false (nothing pushed) when it is not of that form. */
bool pdk_push_multipart(lua_State *L, struct arena *a, struct str body, struct str content_type);
