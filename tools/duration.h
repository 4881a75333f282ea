/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations as operators type them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "250us", "1.5ms", "2s"; a number alone is milliseconds.  False: it is none. */
bool duration_parse(const char *text, uint64_t *ret_ns);
