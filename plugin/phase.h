/* SPDX-License-Identifier: Apache-2.0
 *
 * The phases of a plugin, in the order a request meets them (kong-compatible names).
 */
#pragma once

#include <stdint.h>

/* X(constant, handler method, may yield, method arguments behind self) */
/* clang-format off */
#define PHASE_TABLE(X) \
	X(CONFIGURE,     "configure",     0, "configs") \
	X(CERTIFICATE,   "certificate",   1, "conf") \
	X(REWRITE,       "rewrite",       1, "conf") \
	X(ACCESS,        "access",        1, "conf") \
	X(RESPONSE,      "response",      1, "conf") \
	X(HEADER_FILTER, "header_filter", 0, "conf") \
	X(BODY_FILTER,   "body_filter",   0, "conf") \
	X(LOG,           "log",           0, "conf")
/* clang-format on */

enum phase {
#define X(id, name, yields, args) PHASE_##id,
	PHASE_TABLE(X)
#undef X
			PHASE_COUNT,
	/* Between tries at the service: no method, only set_target_retry_callback()'s function. */
	PHASE_BALANCER = 16,
};

#define PHASE_BIT(phase) (1U << (phase))

/* "access"; "none" for anything else. */
const char *phase_name(enum phase phase);
