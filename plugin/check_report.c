/* SPDX-License-Identifier: Apache-2.0
 *
 * What sluice-check found, as JSON.
 */
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin/check_part.h"

static json_t *add(json_t *list, const struct check_source *source, int line, const char *text)
{
	json_t *entry;
	sl_auto_mem char *copy = strdup(text);
	json_t *message = copy != NULL ? json_string(copy) : NULL;

	/* A plugin's own error text may be any bytes. */
	for (unsigned char *p = (unsigned char *)copy; message == NULL && p != NULL && *p != 0; p++)
		*p = *p < 0x80 ? *p : '?';
	if (message == NULL)
		message = json_string(copy != NULL ? copy : "out of memory");
	entry = json_pack("{s:s,s:s,s:i,s:o}", "field", source->field, "file", source->file, "line",
			line > 0 ? line : 1, "message", message);
	json_array_append_new(list, entry);
	return entry;
}

void check_add_at(struct check *c, const struct check_source *source,
		const struct check_place *place, bool is_error, const char *text)
{
	json_t *entry = add(is_error ? c->errors : c->warnings, source, place->line, text);

	json_object_set_new(entry, "column", json_integer(place->column));
	json_object_set_new(entry, "rule", json_string(place->rule));
}

void check_add_error(
		struct check *c, const struct check_source *source, int line, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(c->errors, source, line, text);
}

void check_add_warning(
		struct check *c, const struct check_source *source, int line, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(c->warnings, source, line, text);
}

void check_add_why(struct check *c, const struct check_source *source, const struct why *why)
{
	add(c->errors, source, why->line, why->text);
}

static bool is_word_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '_';
}

/* `word` stands at `at` as a whole, and a single = comes next. */
static bool is_assigned_at(struct str source, size_t at, size_t n)
{
	size_t i = at + n;

	if (at > 0 && is_word_char(source.p[at - 1]))
		return false;
	while (i < source.n && (source.p[i] == ' ' || source.p[i] == '\t'))
		i++;
	return i < source.n && source.p[i] == '=' && (i + 1 == source.n || source.p[i + 1] != '=');
}

int check_find_line(struct str source, const char *word)
{
	size_t n = strlen(word);
	int line = 1;

	for (size_t at = 0; at + n <= source.n; at++) {
		if (source.p[at] == '\n')
			line++;
		if (memcmp(source.p + at, word, n) == 0 && is_assigned_at(source, at, n))
			return line;
	}
	return 0;
}

static void add_bytecode(json_t *reply, const struct check_source *source)
{
	size_t size = 4 * ((source->bytecode_n + 2) / 3) + 1;
	sl_auto_mem char *text = malloc(size);

	if (text == NULL || source->bytecode == NULL)
		return;
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)source->bytecode,
			(int)source->bytecode_n);
	json_object_set_new(reply, "handler_bytecode", json_string(text));
}

json_t *check_reply(const struct check *c)
{
	bool is_ok = json_array_size(c->errors) == 0;
	json_t *reply = json_pack("{s:b,s:O,s:O,s:s}", "ok", is_ok, "errors", c->errors, "warnings",
			c->warnings, "library", vm_library_id());

	if (c->form != NULL)
		json_object_set(reply, "schema", c->form);
	if (is_ok && c->handler.is_given) {
		json_object_set_new(reply, "priority", json_integer(c->priority));
		json_object_set_new(reply, "version", json_string(c->version));
		json_object_set(reply, "phases", c->phases);
		if (c->wants_bytecode)
			add_bytecode(reply, &c->handler);
	}
	return reply;
}
