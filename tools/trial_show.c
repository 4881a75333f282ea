/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial_show.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SHOWN_MAX 300

/* Text of a plugin: it may not drive the terminal. */
static void show_text(const char *text, const char *indent, FILE *out)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n')
			fprintf(out, "\n%s", indent);
		else
			fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, out);
	}
	fputc('\n', out);
}

static void show_part(const char *sign, const char *whose, const char *name, const json_t *value,
		FILE *out)
{
	sl_auto_mem char *text =
			json_is_string(value) ? strdup(json_string_value(value))
					      : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	fprintf(out, "      %s %s %s: ", sign, whose, name);
	if (text != NULL && strlen(text) > SHOWN_MAX)
		strcpy(text + SHOWN_MAX, "…");
	show_text(text != NULL ? text : "", "          ", out);
}

static void show_changes(const char *whose, const json_t *from, const json_t *to, FILE *out)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)from, name, value) {
		const json_t *now = json_object_get(to, name);

		if (json_is_object(value) && json_is_object(now))
			show_changes(whose, value, now, out);
		else if (now == NULL)
			show_part("-", whose, name, value, out);
		else if (!json_equal(value, now))
			show_part("~", whose, name, now, out);
	}
	json_object_foreach ((json_t *)(uintptr_t)to, name, value)
		if (json_object_get(from, name) == NULL)
			show_part("+", whose, name, value, out);
}

static void show_costs(const json_t *reply, FILE *out)
{
	json_t *phase;
	size_t i;

	json_array_foreach (json_object_get(reply, "phases"), i, phase)
		fprintf(out, "%s %s %.0f µs %lld kB", i != 0 ? "," : "   ",
				json_string_value(json_object_get(phase, "phase")),
				json_number_value(json_object_get(phase, "cpu_us")),
				(long long)json_integer_value(
						json_object_get(phase, "memory_bytes")) /
						1024);
	fputc('\n', out);
}

void trial_show(const json_t *result, const char *path, FILE *out)
{
	const json_t *reply = json_object_get(result, "reply");
	const json_t *service = json_object_get(reply, "service_request");
	bool is_passed = json_is_true(json_object_get(result, "passed"));
	json_t *text;
	size_t i;

	fprintf(out, "%s  ", is_passed ? "ok  " : "FAIL");
	if (!is_passed)
		fprintf(out, "%s:%lld: ", path,
				(long long)json_integer_value(json_object_get(result, "line")));
	fputs(json_string_value(json_object_get(result, "name")), out);
	show_costs(reply, out);
	json_array_foreach (json_object_get(result, "differences"), i, text) {
		fputs("      ", out);
		show_text(json_string_value(text), "      ", out);
	}
	if (service != NULL) {
		show_changes("request", json_object_get(reply, "request"), service, out);
		show_changes("response", json_object_get(reply, "service_response"),
				json_object_get(reply, "response"), out);
	} else if (json_is_object(reply)) {
		show_changes("response", NULL, json_object_get(reply, "response"), out);
	}
	json_array_foreach (json_object_get(result, "log"), i, text) {
		fputs("      log ", out);
		show_text(json_string_value(text), "          ", out);
	}
}
