/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML from plugins: whatever is accepted can be written, and what was written reads as the same
 * text again.
 */
#include <errno.h>

#include "base/check.h"
#include "plugin/yaml_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool never(void *arg)
{
	(void)arg;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	sl_auto(arena) a = NULL;
	sl_auto_buf first = {0}, second = {0};
	struct why why = WHY_NONE;
	struct value v;

	sl_assert(arena_new(&a, 32U << 20) == 0);
	if (yaml_load(a, (struct str){(const char *)data, n}, true, never, NULL, &v, &why) != 0)
		return 0;
	if (yaml_dump(a, &first, &v, YAML_TEXT_MAX, &why) != 0)
		return 0;
	sl_assert(yaml_load(a, buf_str(&first), true, never, NULL, &v, &why) == 0);
	sl_assert(yaml_dump(a, &second, &v, 2 * YAML_TEXT_MAX, &why) == 0);
	sl_assert(str_eq(buf_str(&first), buf_str(&second)));
	return 0;
}
