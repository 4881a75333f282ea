/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/schema.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "plugin/schema_part.h"

struct schema {
	uint32_t magic;
	json_t *form;
	json_t *root; /* prepared; a record def */
};

#define SCHEMA_MAGIC SL_MAGIC('S', 'C', 'H', 'M')

int schema_new(struct schema **ret, const json_t *form, json_t **ret_errors)
{
	sl_auto(schema) s = calloc(1, sizeof(*s));

	*ret_errors = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->magic = SCHEMA_MAGIC;
	s->root = schema_prepare(form, ret_errors);
	if (s->root == NULL)
		return *ret_errors != NULL ? -EINVAL : -ENOMEM;
	s->form = json_deep_copy(form);
	if (s->form == NULL)
		return -ENOMEM;
	*ret = sl_steal(s);
	return 0;
}

void schema_free(struct schema *s)
{
	if (s == NULL)
		return;
	sl_check(s, SCHEMA_MAGIC);
	s->magic = 0;
	json_decref(s->form);
	json_decref(s->root);
	free(s);
}

const json_t *schema_form(const struct schema *s)
{
	sl_check(s, SCHEMA_MAGIC);
	return s->form;
}

json_t *schema_process(const struct schema *s, enum schema_mode mode, const json_t *input,
		const json_t *given, json_t **ret_errors)
{
	sl_auto_json *filled = NULL;

	sl_check(s, SCHEMA_MAGIC);
	*ret_errors = NULL;
	if (!json_is_object(input) && !(json_is_array(input) && json_array_size(input) == 0)) {
		*ret_errors = json_pack("{s:[s]}", "@entity", "expected a record");
		return NULL;
	}
	filled = schema_fill_record(s->root, json_is_object(input) ? input : NULL);
	if (schema_check_record(s->root, filled, mode == SCHEMA_UPDATE ? given : NULL, ret_errors))
		return json_incref(filled);
	return NULL;
}

/* Records merge, everything else is replaced.  A shorthand speaks of what it stands for: it is
 * brought there before what was stored comes beside it. */
static json_t *merge_record(const json_t *def, const json_t *existing, const json_t *given)
{
	const json_t *fields = json_object_get(def, "@fields");
	sl_auto_json *sent = json_copy(schema_each(given));
	json_t *out = json_copy(schema_each(existing));
	const char *name;
	json_t *value;

	schema_expand_shorthands(def, sent);
	json_object_foreach (sent, name, value) {
		const json_t *field = json_object_get(fields, name);
		const json_t *old = json_object_get(existing, name);

		if (field != NULL && schema_def_type(field) == SCHEMA_RECORD &&
				json_is_object(old) && json_is_object(value))
			json_object_set_new(out, name, merge_record(field, old, value));
		else
			json_object_set(out, name, value);
	}
	return out;
}

json_t *schema_merge(const struct schema *s, const json_t *existing, const json_t *given,
		json_t **ret_errors)
{
	sl_auto_json *errors = json_object();
	const char *name;
	json_t *field;

	sl_check(s, SCHEMA_MAGIC);
	*ret_errors = NULL;
	json_object_foreach (json_object_get(s->root, "@fields"), name, field) {
		const json_t *value = json_object_get(given, name);

		if (value != NULL && json_is_true(json_object_get(field, "immutable")) &&
				!json_equal(value, json_object_get(existing, name)))
			json_object_set_new(errors, name,
					schema_message("immutable field cannot be updated"));
	}
	if (json_object_size(errors) == 0)
		return merge_record(s->root, existing, given);
	*ret_errors = json_incref(errors);
	return NULL;
}

json_t *schema_field(const struct schema *s, const char *path)
{
	sl_check(s, SCHEMA_MAGIC);
	return schema_each(schema_def_path(s->root, path));
}

json_t *schema_coerce(const struct schema *s, const json_t *input)
{
	sl_check(s, SCHEMA_MAGIC);
	return schema_coerce_record(s->root, input);
}
