/* SPDX-License-Identifier: Apache-2.0
 *
 * Which plugins are configured, and where those instances apply that only some consumer has:
 * what conditions ask about other plugins.  Made from a view when first asked for.  Private to
 * the engine.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct engine_scopes;
struct snap_view;

/* NULL = out of memory. */
struct engine_scopes *engine_scopes_make(struct snap_view *view);
void engine_scopes_free(struct engine_scopes *s); /* NULL allowed */

/* plugin: with '_' for '-'.  False: no enabled instance of it. */
bool engine_scopes_has(const struct engine_scopes *s, struct str plugin);
/* True when some consumer's instance of it takes this route and service. */
bool engine_scopes_match(const struct engine_scopes *s, struct str plugin, struct str route_id,
		struct str service_id);
/* name is plugin, but for '-' written as '_'. */
bool engine_scope_is_named(const char *name, struct str plugin);
