/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text compiles or is refused with a column inside it; what compiles evaluates.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "plugin/condition.h"
#include "plugin/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void evaluate(const struct condition *c)
{
	struct why why = WHY_NONE;
	struct arena *arena = NULL;
	struct exchange x;
	int r;

	sl_assert(arena_new(&arena, 65536) == 0);
	exchange_init(&x, arena, NULL, NULL);
	x.request.method = STR("GET");
	x.request.path = STR("/a/b");
	x.request.raw_query = STR("a=%31&b+c=2&%");
	headers_add(&x.request.headers, STR("X-A"), STR("1"));
	r = condition_eval(c, &x, &why);
	sl_assert(r == 0 || r == 1 || (r < 0 && why.text[0] != '\0'));
	arena_free(arena);
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
