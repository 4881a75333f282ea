/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/limits.h"

#include <stddef.h>

#include "base/check.h"
#include "shm/conf.h"
#include "shm/record.pb-c.h"

static const struct {
	const char *name;
	size_t at, record_at; /* in struct vm_limits, in the record's Limits */
} rows[LIMIT_COUNT] = {
#define X(field, what) \
	[LIMIT_##field] = {#field, offsetof(struct vm_limits, field), \
			offsetof(Sluice__Record__Limits, field)},
		LIMITS_TABLE(X)
#undef X
};

static uint32_t *slot(struct vm_limits *l, enum limit limit)
{
	return (uint32_t *)(void *)((char *)l + rows[limit].at);
}

static uint32_t wanted(const Sluice__Record__Limits *l, enum limit limit)
{
	return l != NULL ? *(const uint32_t *)(const void *)((const char *)l +
							     rows[limit].record_at)
			 : 0;
}

const char *limit_name(enum limit limit)
{
	sl_assert((unsigned)limit < LIMIT_COUNT);
	return rows[limit].name;
}

uint32_t limit_get(const struct vm_limits *l, enum limit limit)
{
	return *(const uint32_t *)(const void *)((const char *)l + rows[limit].at);
}

void limits_policy_of(const struct conf *conf, struct limits_policy *ret)
{
#define X(field, what) \
	ret->by_default.field = conf->plugin_limits_##field; \
	ret->max.field = conf->plugin_limits_##field##_max;
	LIMITS_TABLE(X)
#undef X
}

uint32_t limits_resolve(const struct limits_policy *p, const Sluice__Record__Limits *code,
		const Sluice__Record__Limits *instance, struct vm_limits *ret)
{
	uint32_t capped = 0;

	for (enum limit i = 0; i < LIMIT_COUNT; i++) {
		uint32_t by_default = limit_get(&p->by_default, i), max = limit_get(&p->max, i);
		uint32_t v = i != LIMIT_memory_mb ? wanted(instance, i) : 0;

		if (v == 0)
			v = wanted(code, i);
		if (v != 0 && max != 0 && by_default != 0 && v > max && v > by_default) {
			v = max > by_default ? max : by_default;
			capped |= LIMIT_BIT(i);
		}
		*slot(ret, i) = v != 0 ? v : by_default;
	}
	return capped;
}
