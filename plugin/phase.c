/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/phase.h"

static const char *const phase_names[PHASE_COUNT] = {
#define X(id, name, yields, args) [PHASE_##id] = (name),
		PHASE_TABLE(X)
#undef X
};

const char *phase_name(enum phase phase)
{
	if (phase == PHASE_BALANCER)
		return "balancer";
	return (unsigned)phase < PHASE_COUNT ? phase_names[phase] : "none";
}
