/* SPDX-License-Identifier: Apache-2.0 */
#include "master/outcome.h"

#include "base/clock.h"
#include "base/log.h"
#include "plugin/limits.h"

static void warn_capped(const char *plugin, const char *instance, uint32_t capped,
		const Sluice__Record__Limits *asked, const struct vm_limits *now)
{
	const uint32_t wanted[LIMIT_COUNT] = {
#define X(field, what) [LIMIT_##field] = asked != NULL ? asked->field : 0,
			LIMITS_TABLE(X)
#undef X
	};

	for (enum limit i = 0; i < LIMIT_COUNT; i++)
		if ((capped & LIMIT_BIT(i)) != 0)
			log_warn("limit capped by this node",
					"plugin=%s%s%s limit=%s asked=%u given=%u", plugin,
					instance[0] != '\0' ? " instance=" : "", instance,
					limit_name(i), wanted[i], limit_get(now, i));
}

static void log_capped(const struct plan *p, const struct conf *conf)
{
	struct limits_policy policy;
	struct vm_limits now;
	uint32_t capped;

	limits_policy_of(conf, &policy);
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_item *item = &p->items[i];

		if (item->state != PLAN_ACCEPTED)
			continue;
		if (item->plugin != NULL) {
			capped = limits_resolve(&policy, item->plugin->limits, NULL, &now);
			warn_capped(item->plugin->name, "", capped, item->plugin->limits, &now);
		} else if (item->instance != NULL) {
			capped = limits_resolve(&policy, NULL, item->instance->limits, &now);
			warn_capped(item->instance->name, item->instance->id, capped,
					item->instance->limits, &now);
		}
	}
}

static size_t log_rejected(const struct plan *p)
{
	char text[1200], quoted[1300];
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct plan_item *item = &p->items[i];

		if (item->state != PLAN_REJECTED)
			continue;
		n++;
		log_warn("resource rejected", "kind=%u id=%s code=%s in_force=%llu error=%s",
				item->kind, item->id, item->code,
				(unsigned long long)item->in_force,
				log_quote(quoted, sizeof(quoted),
						str_of(item->why != NULL ? why_text(item->why, text,
											   sizeof(text))
									 : "")));
	}
	return n;
}

void outcome_log(const struct plan *p, const struct rollout *r, const struct conf *conf)
{
	size_t n_rejected = log_rejected(p);

	log_capped(p, conf);
	log_notice("generation in force",
			"generation=%llu resources=%llu rejected=%zu workers=%u/%u ms=%llu",
			(unsigned long long)p->update->generation,
			(unsigned long long)(p->n_resources + p->n_removed), n_rejected,
			rollout_active(r, p->update->generation, STR_NONE, 0), rollout_total(r),
			(unsigned long long)(clock_mono_ms() - p->started_ms));
}
