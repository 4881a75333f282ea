/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "plugin/schema.h"

struct fault_row {
	int code, http;
	const char *name;
};

static const struct fault_row rows[] = {
#define X(constant, code, http, name) {code, http, name},
		FAULT_TABLE(X)
#undef X
};

static const struct fault_row *row_of(enum fault_code code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].code == (int)code)
			return &rows[i];
	}
	return &rows[0];
}

void fault_done(struct fault *f)
{
	json_decref(f->body);
	*f = (struct fault){0};
}

static json_t *text_of(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Bytes that are not UTF-8 (an echoed value) come out as a hint instead of an invalid JSON. */
static json_t *text_of(const char *fmt, va_list ap)
{
	json_t *s = json_vsprintf(fmt, ap);

	return s != NULL ? s : json_string("(the message would hold text that is not UTF-8)");
}

static void fault_fill(struct fault *f, enum fault_code code, json_t *fields, json_t *message)
{
	const struct fault_row *row = row_of(code);

	fault_done(f);
	f->status = row->http;
	f->body = json_pack("{s:i, s:s, s:o, s:o}", "code", row->code, "name", row->name, "message",
			message, code == FAULT_INVALID_OPTIONS ? "options" : "fields",
			fields != NULL ? fields : json_object());
}

void fault_set(struct fault *f, enum fault_code code, json_t *fields, const char *fmt, ...)
{
	json_t *message;
	va_list ap;

	va_start(ap, fmt);
	message = text_of(fmt, ap);
	va_end(ap);
	fault_fill(f, code, fields, message);
}

void fault_plain(struct fault *f, int status, const char *fmt, ...)
{
	json_t *message;
	va_list ap;

	va_start(ap, fmt);
	message = text_of(fmt, ap);
	va_end(ap);
	fault_done(f);
	f->status = status;
	f->body = json_pack("{s:o}", "message", message);
}

void fault_schema(struct fault *f, json_t *errors)
{
	sl_auto_mem char *text = schema_error_text(errors);

	fault_fill(f, FAULT_SCHEMA_VIOLATION, errors,
			json_string(text != NULL ? text : "schema violation"));
}

void fault_field(struct fault *f, const char *field, const char *fmt, ...)
{
	json_t *message;
	va_list ap;

	va_start(ap, fmt);
	message = text_of(fmt, ap);
	va_end(ap);
	fault_schema(f, json_pack("{s:o}", field, message));
}

void fault_store(struct fault *f, const struct why *why)
{
	char text[1200];

	fault_set(f, FAULT_DATABASE_ERROR, NULL, "%s", why_text(why, text, sizeof(text)));
}

int fault_code(const struct fault *f)
{
	return (int)json_integer_value(json_object_get(f->body, "code"));
}
