/* SPDX-License-Identifier: Apache-2.0 */
#include "control/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "control/plugin_code.h"

static int compile_schemas(struct model *m, struct why *why)
{
	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		const struct entity_def *def = entity_def(i);
		json_t *form = entity_form(def), *errors = NULL;
		sl_auto_mem char *text = NULL;
		int r = schema_new(&m->schemas[i], form, &errors);

		json_decref(form);
		if (r == 0)
			continue;
		text = errors != NULL ? schema_error_text(errors) : NULL;
		json_decref(errors);
		why_set(why, NULL, 0, "the built-in schema of '%s' does not compile: %s", def->name,
				text != NULL ? text : strerror(-r));
		return r;
	}
	return 0;
}

int model_new(struct model **ret, const struct conf *conf, const char *dir, struct why *why)
{
	sl_auto(model) m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return why_errno(why, ENOMEM, "cannot start");
	m->magic = MODEL_MAGIC;
	m->conf = conf;
	r = compile_schemas(m, why);
	if (r == 0)
		r = store_open(&m->store, dir, why);
	if (r != 0)
		return r;
	*ret = sl_steal(m);
	return 0;
}

void model_free(struct model *m)
{
	if (m == NULL)
		return;
	sl_check(m, MODEL_MAGIC);
	plugin_code_forget(m);
	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		if (m->schemas[i] != NULL)
			schema_free(m->schemas[i]);
	}
	store_free(m->store);
	m->magic = 0;
	free(m);
}

bool model_is_read_only(const struct model *m)
{
	return strcmp(m->conf->database, "off") == 0;
}
