/* SPDX-License-Identifier: Apache-2.0
 *
 * The named types of kong.db.schema.typedefs, as JSON definitions, and the checks of those
 * that are more than plain attributes.  No state, no Lua.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

/* A new reference to the definition of `name` ({"type":…}); NULL = there is no such typedef
 * (or memory is out).  What is not plain says so by "typedef":"<name>" inside. */
json_t *typedef_definition(const char *name);
/* Why there is no such definition: "does not exist", or more where the reference has one. */
const char *typedef_missing(const char *name);
/* The i-th name, for listing; NULL behind the last. */
const char *typedef_name(size_t i);

/* True when {"typedef":name} means a check of its own. */
bool typedef_has_check(const char *name);
/* The check behind {"typedef":name}: true, or false with the message in msg.  A name without
 * a check of its own passes. */
bool typedef_check(const char *name, const json_t *value, struct buf *msg);
