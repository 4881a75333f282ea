/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of Lua expressions and what they give, evaluated by a real plugin in a phase.
 */
#pragma once

#include "tests/unit/engine_bench.h"

/* expected: the values joined by ", "; an error raised as "! text" (its place is checked and
 * cut off); tables as "table". */
struct pdk_row {
	const char *expression, *expected;
};

/* Evaluates the rows in one run of `phase` ("access", "log", …) and compares them.  prelude:
 * Lua before the rows, or "". */
void pdk_rows_check(struct bench *b, const char *phase, const char *prelude,
		const struct pdk_row *rows, size_t n);
#define PDK_ROWS_CHECK(b, phase, prelude, rows) \
	pdk_rows_check(b, phase, prelude, rows, sizeof(rows) / sizeof((rows)[0]))

/* Set up before the run: fills the exchange once it is made. */
extern void (*pdk_rows_prepare)(struct bench *b);
