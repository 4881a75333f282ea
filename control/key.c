/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key.h"

#include <stdio.h>
#include <string.h>

#include "plugin/typedefs.h"
#include "plugin/vault.h"

static const char *text_of(const json_t *entity, const char *field)
{
	const char *s = json_string_value(json_object_get(entity, field));

	return s != NULL ? s : "";
}

static int refuse(struct op *op, const char *message)
{
	fault_schema(&op->fault, json_pack("{s:[s]}", "@entity", message));
	return OP_E_REFUSED;
}

/* What is wrong with it; NULL: nothing. */
static const char *jwk_problem(const json_t *jwk, const char *kid, struct buf *msg)
{
	if (!json_is_object(jwk))
		return "could not json decode jwk string";
	if (strcmp(text_of(jwk, "kid"), kid) != 0)
		return "kid in jwk.kid must be equal to keys.kid";
	return typedef_check("jwk", jwk, msg) ? NULL : buf_z(msg);
}

static int check_jwk(struct op *op, const json_t *entity)
{
	const json_t *text = json_object_get(entity, "jwk");
	sl_auto_buf msg = {0};
	const char *problem;
	json_t *jwk;
	int r;

	if (!json_is_string(text) || vault_is_reference(str_of(json_string_value(text))))
		return 0;
	jwk = json_loadb(json_string_value(text), json_string_length(text), 0, NULL);
	problem = jwk_problem(jwk, text_of(entity, "kid"), &msg);
	r = problem != NULL ? refuse(op, problem) : 0;
	json_decref(jwk);
	return r;
}

static int check_vault(struct op *op, const json_t *entity)
{
	const char *name = text_of(entity, "name");

	if (strcmp(name, "env") == 0)
		return 0;
	fault_field(&op->fault, "name", "vault '%s' is not installed", name);
	return OP_E_REFUSED;
}

int key_check(struct op *op, enum entity_type type, const json_t *entity)
{
	if (type == ENTITY_KEYS)
		return check_jwk(op, entity);
	return type == ENTITY_VAULTS ? check_vault(op, entity) : 0;
}

char *key_unique_text(const json_t *entity)
{
	char *text;

	return asprintf(&text, "%s %s", text_of(json_object_get(entity, "set"), "id"),
			       text_of(entity, "kid")) < 0
			       ? NULL
			       : text;
}
