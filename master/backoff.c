/* SPDX-License-Identifier: Apache-2.0 */
#include "master/backoff.h"

uint32_t backoff_next(struct backoff *b, uint64_t ran_ms)
{
	if (b->last_ms == 0 || ran_ms >= BACKOFF_STABLE_MS)
		b->last_ms = b->first_ms != 0 ? b->first_ms : BACKOFF_FIRST_MS;
	else if (b->last_ms > BACKOFF_MAX_MS / 2)
		b->last_ms = BACKOFF_MAX_MS;
	else
		b->last_ms *= 2;
	return b->last_ms;
}
