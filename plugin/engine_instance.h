/* SPDX-License-Identifier: Apache-2.0
 *
 * One configured plugin (an entry of `plugins`) bound to the version of its code, with its
 * compiled condition.  Ref-counted.  Private to the engine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "plugin/condition.h"
#include "plugin/engine_version.h"

#define ENGINE_INSTANCE_MAGIC SL_MAGIC('I', 'N', 'S', 'T')

/* kong.default_workspace, conf.__ws_id: there is one workspace. */
#define ENGINE_WORKSPACE "0dc6f45b-8f8d-40d2-a504-473544ee190b"

enum engine_protocol { PROTOCOL_HTTP = 1, PROTOCOL_HTTPS = 2 };

struct engine_instance {
	uint32_t magic;
	unsigned refs;
	struct engine_instance *next; /* in the engine's table */
	struct engine_version *version;
	uint64_t resource_version, sequence;
	char *id, *name;
	char *route_id, *service_id, *consumer_id, *group_id; /* "" = not scoped by it */
	char *config;                                         /* JSON text: parsed once per VM */
	size_t config_n;
	uint32_t protocols;          /* enum engine_protocol */
	bool is_open;                /* on_error = open */
	struct vm_limits limits;     /* its own, its version's, the node's; capped */
	struct condition *condition; /* NULL: none, or why says what is wrong with it */
	bool is_condition_bad;
	struct why why;

	uint64_t box_serial; /* conf_ref belongs to that VM; 0 = none */
	int conf_ref;
};

/* record: a serialized sluice.record.PluginInstance.  NULL: no memory, or not one. */
struct engine_instance *engine_instance_new(
		struct engine_version *v, struct str record, uint64_t resource_version);
struct engine_instance *engine_instance_ref(struct engine_instance *i);
void engine_instance_unref(struct engine_instance *i); /* NULL allowed */

/* Whether its config refers to vaults. */
bool engine_instance_has_secrets(const struct engine_instance *i);

/* Pushes the conf table of this instance in b's VM: one table per VM, made on first use, with the
 * secrets that the vaults of view give. */
void engine_instance_push_conf(struct engine_instance *i, struct engine_box *b,
		const struct snap_view *view, lua_State *L);
