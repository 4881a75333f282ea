/* SPDX-License-Identifier: Apache-2.0
 *
 * Aligned text: columns as wide as their widest cell, two spaces apart, numbers to the right.
 */
#pragma once

#include <stdio.h>

#include "base/cleanup.h"

#define TEXT_TABLE_COLUMNS 12

struct text_table;

/* heads: NULL-terminated; one that begins with '>' is a column of numbers. */
int text_table_new(struct text_table **ret, const char *const heads[]);
void text_table_free(struct text_table *t);
SL_DEFINE_AUTO(text_table);

/* The next cell of the row, left to right; wraps into the next row.  Control characters become
 * '?': the text may come from far away. */
void text_table_cell(struct text_table *t, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* 0, or -ENOMEM when a cell was lost. */
int text_table_print(const struct text_table *t, FILE *out);
