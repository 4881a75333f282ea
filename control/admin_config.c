/* SPDX-License-Identifier: Apache-2.0
 *
 * /config: the whole configuration of a node without a database.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin_path.h"
#include "control/loader.h"

static bool refuse_with_database(struct admin_call *call)
{
	if (model_is_read_only(call->parts->model))
		return false;
	admin_message(call, 400,
			"this endpoint is only available when Kong is configured to not use a "
			"database");
	return true;
}

void admin_config_get(struct admin_call *call)
{
	sl_auto_mem char *text = NULL;

	if (refuse_with_database(call))
		return;
	text = loader_export(call->parts->model);
	if (text == NULL)
		admin_message(call, 500, "the configuration could not be read from the store");
	else
		admin_reply(call, 200, json_pack("{s:s}", "config", text));
}

static void applied(void *arg, int status, json_t *body)
{
	admin_reply(arg, status, json_incref(body));
}

static bool is_on(const struct admin_call *call, const char *name)
{
	const char *v = admin_query(call, name);

	return v != NULL && (strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
}

/* The text of the configuration: the body itself, or the form's field `config`. */
static bool config_text(struct admin_call *call, struct str *ret)
{
	struct why why = WHY_NONE;
	const json_t *text;

	*ret = call->body;
	if (call->body_type != ADMIN_BODY_FORM)
		return true;
	if (admin_form_parse(call->body, &call->input, &why) != 0)
		return false;
	text = json_object_get(call->input, "config");
	*ret = (struct str){json_string_value(text), json_string_length(text)};
	return json_is_string(text);
}

void admin_config_post(struct admin_call *call)
{
	struct loader_request request = {.name = "config",
			.is_answered = true,
			.what = call->what,
			.is_check_hash = is_on(call, "check_hash"),
			.is_flatten = is_on(call, "flatten_errors"),
			.done = applied,
			.arg = call};

	if (refuse_with_database(call))
		return;
	if (call->body.n == 0 || !config_text(call, &request.text)) {
		admin_message(call, 400,
				"expected a declarative configuration: YAML or JSON, or a form "
				"field 'config'");
		return;
	}
	if (loader_apply(call->parts->loader, &request) == 0)
		return;
	admin_header(call, "Retry-After", "1");
	admin_message(call, 429, "Currently loading previous configuration");
}
