/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text is read to its end or given up on; every value can be asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "plugin/source_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void ask_all(struct scan *s)
{
	for (size_t i = 0; i < s->n_uses; i++) {
		struct scan_ref r = scan_resolve(s, s->uses[i].ref);

		sl_assert(r.n_fields >= 0 && r.n_fields <= SCAN_FIELDS_MAX);
		sl_assert(r.kind == SCAN_GLOBAL || r.kind == SCAN_STRING || r.n_fields == 0);
		sl_assert(s->uses[i].next < (int)s->n_uses);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct scan s;
	char *copy = malloc(n != 0 ? n : 1);

	sl_assert(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	sl_assert(source_scan(&s, (struct str){copy, n}) == 0);
	ask_all(&s);
	scan_done(&s);
	free(copy);
	return 0;
}
