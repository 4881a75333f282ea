/* SPDX-License-Identifier: Apache-2.0
 *
 * What sluice-control knows: the store, the compiled schemas of the entities, and the
 * schemas of streamed plugins.  Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "control/entity.h"
#include "control/store.h"
#include "shm/conf.h"

struct plugin_code;

struct model {
	uint32_t magic;
	const struct conf *conf; /* borrowed */
	struct store *store;     /* owned */
	struct schema *schemas[ENTITY_COUNT];
	struct plugin_code *codes; /* see control/plugin_code */
	unsigned codes_n;
};
#define MODEL_MAGIC SL_MAGIC('M', 'O', 'D', 'L')

/* dir: of the store.  The entities' schemas are compiled here. */
int model_new(struct model **ret, const struct conf *conf, const char *dir, struct why *why);
void model_free(struct model *m);
SL_DEFINE_AUTO(model);

/* database: off: entities come from a file and the Admin API does not write. */
bool model_is_read_only(const struct model *m);
