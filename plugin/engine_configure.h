/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler's configure(self, configs): after a plugin was loaded and after every switch
 * of the configuration.  configs: every enabled config of the plugin, nil when there is none.
 * Private to the engine and the chain.
 */
#pragma once

#include "plugin/engine_version.h"

/* Runs it in v's VM, when it has one and the handler implements it.  A failure is logged. */
void engine_configure(struct engine *e, struct engine_version *v);

/* engine_version_box(), configured.  view: where to load the code from. */
struct engine_box *engine_ready_box(
		struct engine *e, struct engine_version *v, struct snap_view *view);
