/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_part.h"

void pdk_open(lua_State *L, int env_index)
{
#define X(part) pdk_open_##part(L, env_index);
	PDK_PART_TABLE(X)
#undef X
	ngx_open(L, env_index);
}
