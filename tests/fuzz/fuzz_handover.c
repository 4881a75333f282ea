/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of another image of sluiced: refused, or understood so that what is written from it is
 * read to the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sl_auto(handover) h = NULL;
	sl_auto(handover) back = NULL;
	sl_auto_buf once = {.p = NULL}, again = {.p = NULL};
	struct why why = WHY_NONE;

	if (handover_parse(&h, (struct str){(const char *)data, size}, &why) != 0)
		return 0;
	handover_write(h, &once);
	if (handover_parse(&back, buf_str(&once), &why) != 0)
		abort();
	handover_write(back, &again);
	if (!str_eq(buf_str(&once), buf_str(&again)))
		abort();
	return 0;
}
