/* SPDX-License-Identifier: Apache-2.0
 *
 * Packed values of shared memory: whatever is accepted packs to bytes that unpack to the same.
 */
#include "base/check.h"
#include "plugin/value_pack.h"

#define MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	sl_auto(arena) a = NULL;
	sl_auto_buf first = {0}, second = {0};
	struct value v;

	sl_assert(arena_new(&a, 16U << 20) == 0);
	if (value_unpack(a, (struct str){(const char *)data, n}, &v) != 0)
		return 0;
	sl_assert(value_pack(&first, &v, MAX) == 0);
	sl_assert(first.n == n);
	sl_assert(value_unpack(a, buf_str(&first), &v) == 0);
	sl_assert(value_pack(&second, &v, MAX) == 0);
	sl_assert(str_eq(buf_str(&first), buf_str(&second)));
	return 0;
}
