/* SPDX-License-Identifier: Apache-2.0
 *
 * Where log records of kong.telemetry.log() go: a sink that the host of the engine gives, if it
 * exports any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "plugin/value.h"

#define TELEMETRY_TEXT_MAX (64U * 1024) /* bytes of a message; a longer one is cut */

struct exchange;

struct telemetry_record {
	struct str plugin, type, message;     /* message.p == NULL: none */
	struct str plugin_id, instance;       /* n == 0: unknown */
	const struct value_table *attributes; /* NULL: none */
	const struct exchange *exchange;      /* NULL: outside a request */
};

/* log() copies what it keeps, never waits, and never fails: what there is no room for is
 * counted. */
struct telemetry_sink {
	void (*log)(void *arg, const struct telemetry_record *record);
	void *arg;
};
