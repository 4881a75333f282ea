/* SPDX-License-Identifier: Apache-2.0
 *
 * A request target: refused, or split and normalized; normalizing again changes nothing and
 * no dot segment is left to climb out of a service's path.
 */
#include "base/check.h"
#include "plugin/exchange.h"
#include "plugin/path.h"
#include "worker/h1_parse.h"
#include "worker/upstream_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_segments(struct str path)
{
	while (path.n != 0) {
		struct str rest = str_from(path, 1);
		ptrdiff_t slash = str_find_char(rest, '/');
		struct str segment = slash < 0 ? rest : str_head(rest, (size_t)slash);

		sl_assert(path.p[0] == '/');
		sl_assert(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
		path = slash < 0 ? STR_NONE : str_from(rest, (size_t)slash);
	}
}

static void check_upstream(struct arena *a, struct str path)
{
	for (unsigned i = 0; i < 4; i++) {
		struct upstream_path u = {.service = STR("/s/"),
				.request = path,
				.matched = path.n / 2,
				.strips = (i & 1) != 0,
				.is_v1 = (i & 2) != 0};
		struct str made = upstream_path_make(a, &u);

		sl_assert(made.n != 0 && made.p[0] == '/');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str target = {(const char *)data, n};
	struct arena *a = NULL;
	struct exchange x;
	struct str again;

	sl_assert(arena_new(&a, 0) == 0);
	exchange_init(&x, a, NULL, NULL);
	(void)h1_authority_is_valid(target);
	if (exchange_set_target(&x, target) == 0) {
		again = path_normalize(a, x.request.path);
		sl_assert(str_eq(again, x.request.path));
		if (x.request.path.n != 0 && x.request.path.p[0] == '/') {
			check_segments(x.request.path);
			check_upstream(a, x.request.path);
		}
	}
	arena_free(a);
	return 0;
}
