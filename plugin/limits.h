/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin may use, and who decides: the node's defaults, over them what the custom
 * plugin asks for, over that what the instance asks for, and the operator's cap above all.
 * No Lua; any program.
 */
#pragma once

#include <stdint.h>

struct conf;                   /* shm/conf.h */
struct Sluice__Record__Limits; /* shm/record.pb-c.h */

/* X(field, what the field is) */
/* clang-format off */
#define LIMITS_TABLE(X) \
	X(cpu_ms,    "CPU time of one phase, over its waits; 0 = no limit") \
	X(wall_ms,   "how long one phase may last, its waits included; 0 = no limit") \
	X(memory_mb, "live memory of the VM: soft cap, the hard one is 32 MB above; 0 = 64") \
	X(log_lines, "log lines of one phase; 0 = no limit") \
	X(output_kb, "bodies and headers that one phase makes; 0 = no limit")
/* clang-format on */

struct vm_limits {
#define X(field, what) uint32_t field;
	LIMITS_TABLE(X)
#undef X
};

enum limit {
#define X(field, what) LIMIT_##field,
	LIMITS_TABLE(X)
#undef X
			LIMIT_COUNT
};
#define LIMIT_BIT(limit) (1U << (limit))

/* "cpu_ms" … */
const char *limit_name(enum limit limit);
uint32_t limit_get(const struct vm_limits *l, enum limit limit);

/* Of a node.  max: 0 = no cap; a default above its cap is the cap. */
struct limits_policy {
	struct vm_limits by_default, max;
};
void limits_policy_of(const struct conf *conf, struct limits_policy *ret);

/* code, instance: NULL = nothing asked for; an instance's memory_mb is not looked at, as all
 * instances share the VM.  LIMIT_BITs of what was asked for and capped. */
uint32_t limits_resolve(const struct limits_policy *p, const struct Sluice__Record__Limits *code,
		const struct Sluice__Record__Limits *instance, struct vm_limits *ret);
