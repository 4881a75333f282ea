/* SPDX-License-Identifier: Apache-2.0
 *
 * References to secrets: {vault://<vault>/<resource>[/<key>][?prefix=…]}.  A vault is `env`, or the
 * prefix of a configured one (entity `vaults`), which is the environment with a prefix of its own.
 * The environment is that of sluiced at its start; variables named SLUICE_… are the node's own and
 * never given.  Knows no Lua.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/why.h"

struct snap_view; /* shm/snapshot.h */

struct vault_reference {
	struct str name;     /* the vault: "env", or the prefix of a configured one */
	struct str resource; /* decoded; what is before the last "/" */
	struct str key;      /* decoded; n == 0: none */
	struct str query;    /* as written */
	bool has_version;
	unsigned version;
};

bool vault_is_reference(struct str text);
/* Parts live in a, or in text.  -EINVAL with why. */
int vault_parse(struct arena *a, struct str text, struct vault_reference *ret, struct why *why);
/* The value, in a.  view: where vaults are configured; NULL = there is env only.  -EINVAL (no
 * reference, no such vault), -ENOENT (no value), -ENOMEM, with why. */
int vault_get(struct arena *a, const struct snap_view *view, struct str text, struct str *ret,
		struct why *why);
/* text, or what it refers to, in new memory; NULL with why, or out of memory. */
char *vault_text(const struct snap_view *view, const char *text, struct why *why);
/* Another number when the configured vaults are other ones. */
uint64_t vault_stamp(const struct snap_view *view);

/* Replaces references of `referenceable` fields in a plugin's config by their values, "" where
 * there is none, and keeps them in "$refs" of their record: {field: reference, or a list or map of
 * them}.  schema: a plugin's, JSON form.  report: called for each that has no value. */
typedef void vault_report_fn(void *arg, const char *field, const char *reference, const char *why);
void vault_resolve_config(const struct snap_view *view, json_t *config, json_t *schema,
		vault_report_fn *report, void *arg);
/* The same for fields of an entity: names, "record.field" among them, NULL at the end. */
void vault_resolve_fields(const struct snap_view *view, json_t *entity, const char *const *fields,
		vault_report_fn *report, void *arg);
