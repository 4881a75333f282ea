/* SPDX-License-Identifier: Apache-2.0
 *
 * A JSON form, a newline, a value.  Whatever is accepted is accepted again: filling and
 * checking a processed value changes nothing and finds nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "plugin/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Generated times differ from run to run; a set of numbers may print alike and differ. */
static void process_twice(const struct schema *s, const json_t *value)
{
	json_t *errors = NULL;
	json_t *again_errors = NULL;
	json_t *first = schema_process(s, SCHEMA_INSERT, value, NULL, &errors);
	json_t *second;
	char *text;

	if (first == NULL) {
		text = schema_error_text(errors);
		sl_assert(text != NULL);
		free(text);
		json_decref(errors);
		return;
	}
	second = schema_process(s, SCHEMA_INSERT, first, NULL, &again_errors);
	sl_assert(second != NULL && again_errors == NULL);
	json_decref(schema_coerce(s, value));
	json_decref(second);
	json_decref(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *line = n > 0 ? memchr(data, '\n', n) : NULL;
	size_t n_form = line != NULL ? (size_t)(line - data) : n;
	json_t *form = json_loadb((const char *)data, n_form, JSON_DECODE_ANY, NULL);
	json_t *value = line == NULL ? json_object()
				     : json_loadb((const char *)line + 1, n - n_form - 1,
						       JSON_DECODE_ANY, NULL);
	struct schema *s = NULL;
	json_t *errors = NULL;

	if (form != NULL && schema_new(&s, form, &errors) == 0 && value != NULL)
		process_twice(s, value);
	if (errors != NULL)
		free(schema_error_text(errors));
	json_decref(errors);
	json_decref(form);
	json_decref(value);
	schema_free(s);
	return 0;
}
