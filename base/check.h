/* SPDX-License-Identifier: Apache-2.0
 *
 * Assertions that stay on in production, and magic numbers that name the object
 * at every hand-over.  For our own lies only: what the outside world can cause
 * (disk full, a bad peer, a bad file) is an error, never a check.
 */
#pragma once

#include <stdint.h>

#define SL_MAGIC(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Prints file, line and expression to stderr, then aborts. */
_Noreturn void sl_check_failed(const char *file, int line, const char *what);

#define sl_assert(cond) ((cond) ? (void)0 : sl_check_failed(__FILE__, __LINE__, #cond))

/* obj is non-NULL and alive: its first interesting field `magic` holds m. */
#define sl_check(obj, m) \
	(((obj) != NULL && (obj)->magic == (m)) ? (void)0 \
						: sl_check_failed(__FILE__, __LINE__, \
								  #obj " is not a live " #m))
