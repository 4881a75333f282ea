/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that require modules, run in the access phase of one request: each row is a program
 * and the text that it returns, or a part of the error that it raises. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct module_row {
	const char *code, *want;
};

/* In a lax VM, until set back. */
extern bool module_rows_lax;

#define MODULE_CPU_MS 2000

void module_rows_run(const struct module_row *rows, size_t n, unsigned cpu_ms);
int module_rows_start(void **state); /* cmocka group set-up */

#define MODULE_RUN(...) MODULE_RUN_IN(MODULE_CPU_MS, __VA_ARGS__)

/* With another budget. */
#define MODULE_RUN_IN(cpu_ms, ...) \
	do { \
		static const struct module_row rows[] = {__VA_ARGS__}; \
		(void)state; \
		module_rows_run(rows, sizeof(rows) / sizeof(rows[0]), cpu_ms); \
	} while (0)
