/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/text_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"

struct text_table {
	size_t n_columns;
	const char *const *heads;
	char **cells;
	size_t n, cap;
	bool is_failed;
};

int text_table_new(struct text_table **ret, const char *const heads[])
{
	struct text_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->heads = heads;
	while (heads[t->n_columns] != NULL)
		t->n_columns++;
	sl_assert(t->n_columns <= TEXT_TABLE_COLUMNS);
	*ret = t;
	return 0;
}

void text_table_free(struct text_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

static bool make_room(struct text_table *t)
{
	char **grown;

	if (t->n < t->cap)
		return true;
	grown = realloc(t->cells, (t->cap * 2 + 32) * sizeof(*grown));
	if (grown == NULL)
		return false;
	t->cells = grown;
	t->cap = t->cap * 2 + 32;
	return true;
}

void text_table_cell(struct text_table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0 || !make_room(t)) {
		free(n < 0 ? NULL : text);
		t->is_failed = true;
		return;
	}
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	t->cells[t->n++] = text;
}

static bool is_number(const char *head)
{
	return head[0] == '>';
}

static const char *title(const char *head)
{
	return is_number(head) ? head + 1 : head;
}

static void print_cell(FILE *out, const char *text, int width, bool is_right, bool is_last)
{
	if (is_right)
		fprintf(out, "%*s%s", width, text, is_last ? "\n" : "  ");
	else if (is_last)
		fprintf(out, "%s\n", text);
	else
		fprintf(out, "%-*s  ", width, text);
}

int text_table_print(const struct text_table *t, FILE *out)
{
	int widths[TEXT_TABLE_COLUMNS];

	for (size_t c = 0; c < t->n_columns; c++) {
		size_t w = strlen(title(t->heads[c]));

		for (size_t i = c; i < t->n; i += t->n_columns)
			w = strlen(t->cells[i]) > w ? strlen(t->cells[i]) : w;
		widths[c] = (int)w;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		print_cell(out, title(t->heads[c]), widths[c], is_number(t->heads[c]),
				c + 1 == t->n_columns);
	for (size_t i = 0; i < t->n; i++) {
		size_t c = i % t->n_columns;

		print_cell(out, t->cells[i], widths[c], is_number(t->heads[c]),
				c + 1 == t->n_columns);
	}
	return t->is_failed ? -ENOMEM : 0;
}
