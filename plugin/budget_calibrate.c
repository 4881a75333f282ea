/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/budget_calibrate.h"

#include <errno.h>
#include <string.h>

#include "plugin/vm_impl.h"

#define GLOBAL_STATE_OFFSET 16 /* lua_State.glref, GC64 */
#define SCAN_BYTES 2048U
#define MASK_MAX 15
#define HOOK_COUNT 1000000

static void ignore_event(lua_State *L, lua_Debug *ar)
{
	(void)L;
	(void)ar;
}

void *budget_global_state(struct lua_State *L)
{
	void *g;

	memcpy(&g, (char *)L + GLOBAL_STATE_OFFSET, sizeof(g));
	return g;
}

/* Keeps in may_be the bytes that hold exactly the mask just set. */
static void narrow(bool *may_be, const volatile uint8_t *g, int mask)
{
	for (size_t i = 0; i < SCAN_BYTES; i++)
		may_be[i] = may_be[i] && g[i] == mask;
}

int budget_find_hookmask(struct vm *vm, size_t *ret_offset, struct why *why)
{
	const uint8_t *g = budget_global_state(vm->L);
	bool may_be[SCAN_BYTES];
	unsigned n = 0;

	if ((const char *)g < vm->arena.base || (const char *)g + SCAN_BYTES > vm->arena.top) {
		why_set(why, NULL, 0, "unknown LuaJIT library: no global state in a Lua state");
		return -ENOTSUP;
	}
	memset(may_be, true, sizeof(may_be));
	for (int mask = 1; mask <= MASK_MAX; mask++) {
		(void)lua_sethook(vm->L, ignore_event, mask, HOOK_COUNT);
		narrow(may_be, g, mask);
	}
	(void)lua_sethook(vm->L, NULL, 0, 0);
	narrow(may_be, g, 0);
	for (size_t i = 0; i < SCAN_BYTES; i++) {
		if (may_be[i]) {
			*ret_offset = i;
			n++;
		}
	}
	if (n == 1)
		return 0;
	why_set(why, NULL, 0, "unknown LuaJIT library: %u places follow lua_sethook, not one", n);
	return -ENOTSUP;
}
