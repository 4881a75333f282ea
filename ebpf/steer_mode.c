/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "ebpf/steer.h"

static const char *const names[STEER_MODE_COUNT] = {
#define X(id, name, help) name,
		STEER_MODES(X)
#undef X
};

const char *steer_mode_name(enum steer_mode mode)
{
	sl_assert(mode < STEER_MODE_COUNT);
	return names[mode];
}

bool steer_mode_parse(struct str name, enum steer_mode *ret)
{
	for (unsigned i = 0; i < STEER_MODE_COUNT; i++) {
		if (str_eq(name, str_of(names[i]))) {
			*ret = (enum steer_mode)i;
			return true;
		}
	}
	return false;
}

const char *steer_mode_list(void)
{
	return "" /* the comma in front is cut off */
#define X(id, name, help) ", " name
	       STEER_MODES(X)
#undef X
	       + 2;
}
