/* SPDX-License-Identifier: Apache-2.0
 *
 * The limits in force of plugins and of instances that have their own, and what of them the
 * node capped: for /plugins.
 */
#pragma once

#include <jansson.h>

#include "plugin/limits.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

struct status_limits {
	struct limits_policy policy;
	json_t *instances; /* plugin's name → records of instances with own limits; owned */
};

void status_limits_read(
		struct status_limits *l, const struct conf *conf, const struct snap_view *view);
/* {"cpu_ms":…, …, "capped":[names], "instances":[{"id":…, …, "capped":[…]}]}; new reference. */
json_t *status_limits_json(const struct status_limits *l, const Sluice__Record__PluginCode *code);
