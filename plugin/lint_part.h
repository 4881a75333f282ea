/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by lint_rules.c (names) and lint_phases.c.
 */
#pragma once

#include "plugin/lint_world.h"
#include "plugin/source_scan.h"

struct lint {
	struct check *c;
	struct scan scan;
	struct scan_ref *resolved; /* of each use */
	struct lint_world *world;
};

void lint_tell(struct lint *l, const struct scan_use *use, bool is_error, const char *rule,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* From the handler's methods, through the functions they call, to what they call of the PDK. */
void lint_phases_run(struct lint *l);
