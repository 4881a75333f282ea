/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text compiles or is refused with a column inside it; what compiles evaluates.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/unit/condition_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void evaluate(const struct condition *c)
{
	struct why why = WHY_NONE;
	struct condition_bed bed = {.arena = NULL};
	int r;

	sl_assert(bed_make(&bed) == 0);
	r = condition_eval(c, &bed.x, &why);
	sl_assert(r == 0 || r == 1 || (r < 0 && why.text[0] != '\0'));
	/* It changes nothing: the same again. */
	sl_assert(condition_eval(c, &bed.x, &why) == r);
	arena_free(bed.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct condition *c = NULL;
	struct why why = WHY_NONE;
	char *copy = malloc(n != 0 ? n : 1);

	sl_assert(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	if (condition_new(&c, (struct str){copy, n}, &why) == 0)
		evaluate(c);
	else
		sl_assert(why.text[0] != '\0' && why.line >= 1 && (size_t)why.line <= n + 2);
	condition_free(c);
	free(copy);
	return 0;
}
