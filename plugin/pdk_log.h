/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines of plugins: kong.log.* and ngx.log() print through here.
 */
#pragma once

#include "base/log.h"
#include "plugin/pdk.h"

/* Prints all arguments, joined as tostring() would show them, with plugin, phase and place;
 * counts against the plugin's line budget. */
void pdk_log_arguments(lua_State *L, enum log_level level);
/* The same worded by a format: %message, %namespace, %file_src, %line_src, %func_name. */
void pdk_log_formatted(lua_State *L, enum log_level level, struct str namespace, struct str format);
/* The same for a text of ours. */
void pdk_log_text(lua_State *L, enum log_level level, const char *text);
