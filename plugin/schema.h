/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema DSL (kong-compatible) in its JSON form, and validation of JSON values
 * against it.  A plugin's schema.lua is evaluated by sluice-check, which hands out the
 * JSON form; core entities declare theirs in control/.  No Lua is needed here: Lua
 * patterns are matched by plugin/pattern.
 *
 * JSON form: {"name":s,"fields":[{"<field>":{"type":…,attributes…}},…],
 *             "entity_checks":[{"<check>":{…}},…],"shorthand_fields":[…]}
 * {"typedef":"port","default":80} without a type takes what the typedef declares, with the given
 * attributes on top.  A type made from a typedef (kong.db.schema.typedefs) carries the typedef's
 * plain attributes and, where its check is more than those (host, path, ip, sni, …),
 * "typedef":"<its name>":
 * {"type":"string","typedef":"host"}.  schema_process() runs that check after the validators.
 */
#pragma once

#include <jansson.h>

#include "base/cleanup.h"
#include "base/why.h"

struct schema;

/* Compiles a JSON form after checking it against the meta-schema.  -EINVAL: *ret_errors is
 * an object shaped like `fields` of an error (new reference). */
int schema_new(struct schema **ret, const json_t *form, json_t **ret_errors);
void schema_free(struct schema *s);
SL_DEFINE_AUTO(schema);

/* The JSON form, borrowed. */
const json_t *schema_form(const struct schema *s);

enum schema_mode {
	SCHEMA_INSERT, /* fill defaults and auto fields, then validate all */
	SCHEMA_UPDATE, /* `input` is the merged entity, `given` what the caller sent: its fields
			* are validated, entity checks that touch them see the whole */
};

/* New reference with defaults filled, sets deduplicated, shorthands expanded; or NULL and
 * *ret_errors (new reference): {"field":"message","nested":{…},"@entity":[…]}.
 * given: NULL except for SCHEMA_UPDATE. */
json_t *schema_process(const struct schema *s, enum schema_mode mode, const json_t *input,
		const json_t *given, json_t **ret_errors);

/* What SCHEMA_UPDATE takes as input: existing with given laid over it, records merged, everything
 * else replaced.  New reference; or NULL and *ret_errors when given changes an immutable
 * field. */
json_t *schema_merge(const struct schema *s, const json_t *existing, const json_t *given,
		json_t **ret_errors);

/* Adds to an entity what its shorthands would be, as it is shown to who still knows these: the
 * value that stands where a shorthand's value goes. */
void schema_show_shorthands(const json_t *record_form, json_t *record);

/* The definition of a field by its path ("config.redis.host") with typedefs expanded, or NULL;
 * borrowed, not to be changed. */
json_t *schema_field(const struct schema *s, const char *path);

/* Strings of a form body (a.b=1, arr[]=x) coerced to the types the schema says.  New ref. */
json_t *schema_coerce(const struct schema *s, const json_t *input);

/* "schema violation (config.a: expected a string)" / "2 schema violations (…; …)".  malloc'd. */
char *schema_error_text(const json_t *errors);
/* Every message of an error object with its path ("config.a", "config.list.2"; an entity error
 * has the path of its record, "" at the top). */
typedef void schema_error_fn(void *arg, const char *path, const char *message);
void schema_error_each(const json_t *errors, schema_error_fn *fn, void *arg);
