/* SPDX-License-Identifier: Apache-2.0
 *
 * The C part of the safe standard library: what runs no plugin code and ends in known time
 * and memory.  sandbox_table.h says which names they get; safe_lib.lua uses the helpers.
 * No malloc: a discard may cut these anywhere.  For libvm only.
 */
#pragma once

#include <stddef.h>

struct lua_State;

/* safe_base.c */
int safe_getmetatable(struct lua_State *L);
int safe_print(struct lua_State *L);
int safe_running(struct lua_State *L);
int safe_yield(struct lua_State *L);
int safe_io_type(struct lua_State *L);
int safe_raw_getmetatable(struct lua_State *L);
int safe_check_string(struct lua_State *L);
int safe_took_host_yield(struct lua_State *L);
int safe_yield_again(struct lua_State *L);

/* safe_os.c */
int safe_os_clock(struct lua_State *L);
int safe_os_date(struct lua_State *L);
int safe_os_difftime(struct lua_State *L);
int safe_os_time(struct lua_State *L);

/* safe_string.c */
int safe_string_rep(struct lua_State *L);
int safe_table_concat(struct lua_State *L);
int safe_format_check(struct lua_State *L);

/* safe_match.c */
int safe_string_find(struct lua_State *L);
int safe_string_match(struct lua_State *L);
int safe_string_gmatch(struct lua_State *L);
int safe_match_from(struct lua_State *L);
int safe_is_anchored(struct lua_State *L);
int safe_gsub_text(struct lua_State *L);

/* require(): sandbox_require.c */
int safe_require(struct lua_State *L);
