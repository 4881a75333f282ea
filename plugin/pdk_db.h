/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of kong.db share.  Inner part of pdk_db.
 */
#pragma once

#include "plugin/pdk_part.h"
#include "plugin/pdk_span.h"
#include "plugin/value_lua.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

struct pdk_entity {
	const char *name; /* as in kong.db.<name> */
	uint32_t kind;
	const ProtobufCMessageDescriptor *descriptor;
	const char *const *key; /* fields its cache key is made of, NULL at the end; NULL: its id */
	const char *const *secrets; /* fields that may refer to a vault, as for
				       vault_resolve_fields() */
};

/* The configuration this run sees; raises where there is none. */
const struct snap_view *pdk_db_view_of(lua_State *L);
/* The span of a select by `field` ("": by its id), or NULL: db_query is not recorded. */
struct span *pdk_db_begin_query(lua_State *L, const struct pdk_entity *e, const char *field);
/* Passes n on. */
int pdk_db_end_query(lua_State *L, struct span *s, int n);
/* The entity, or nil for STR_NONE. */
int pdk_db_push_record(lua_State *L, const struct pdk_entity *e, struct str record);
/* The string argument of a select_by_…(self, value, options). */
struct str pdk_db_check_unique(lua_State *L, const char *what);

/* pdk_db_key.c: (self, key or entity, arg2, …, arg5) */
int pdk_db_cache_key(lua_State *L, const struct pdk_entity *e);
/* (self, cache_key, options) */
int pdk_db_select_by_cache_key(lua_State *L, const struct pdk_entity *e);
