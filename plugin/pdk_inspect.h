/* SPDX-License-Identifier: Apache-2.0
 *
 * kong.log.inspect(): values spelled out as Lua, in a frame of 120 columns.
 */
#pragma once

#include "plugin/pdk.h"

/* Prints the arguments at notice level, a line of the log for each line of the frame. */
void pdk_inspect(lua_State *L);
