/* SPDX-License-Identifier: Apache-2.0
 *
 * kong.log.serialize() and kong.log.set_serialize_value().
 */
#pragma once

#include "plugin/pdk.h"

int pdk_serialize(lua_State *L);
int pdk_set_serialize_value(lua_State *L);
