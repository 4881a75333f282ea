/* SPDX-License-Identifier: Apache-2.0
 *
 * One Update on its way into the snapshot: what control sent, checked for structure, and the
 * outcome of every resource, from arrival to the Ack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "master/wants.h"
#include "shm/record.pb-c.h"
#include "stream/sluice.pb-c.h"

enum plan_state { PLAN_PENDING, PLAN_ACCEPTED, PLAN_REJECTED, PLAN_REMOVED };

struct plan_item {
	uint32_t kind;
	const char *id; /* in the Update */
	uint64_t version;
	struct str spec;            /* in the Update; empty for a removal */
	const uint8_t *spec_sha256; /* 32 bytes in the Update; NULL for a removal */
	enum plan_state state;
	const char *code;  /* REJECTED: error_code, static */
	struct why *why;   /* REJECTED: owned */
	uint64_t in_force; /* set by apply */
	/* PLUGIN_CODE / PLUGIN_INSTANCE: parsed, owned */
	Sluice__Record__PluginCode *plugin;
	Sluice__Record__PluginInstance *instance;
};

struct plan {
	Sluice__Stream__V1__Update *update;
	struct plan_item *items; /* in (kind, id) order */
	size_t n;
	bool is_full;
	struct wants *wants; /* after this Update; NULL when not known (nothing to compare) */
	uint64_t started_ms;
};

/* What the node holds, for judging an Update. */
struct plan_base {
	struct str epoch; /* n == 0: nothing held */
	uint64_t generation;
	const struct wants *wants; /* NULL: not known */
	uint64_t source_bytes_max;
};

/* update: borrowed, copied.  0; -EINVAL with *ret_refused_for (Ack.refused_for, static) and why
 * when the Update as a whole is refused; -ENOMEM.  A resource that is wrong by itself is
 * REJECTED in the plan. */
int plan_new(struct plan **ret, const Sluice__Stream__V1__Update *update,
		const struct plan_base *base, const char **ret_refused_for, struct why *why);
void plan_free(struct plan *p);
SL_DEFINE_AUTO(plan);

/* error_code: static.  Keeps an earlier rejection. */
void plan_reject(struct plan_item *item, const char *error_code, const char *file, int line,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void plan_reject_why(struct plan_item *item, const char *error_code, const struct why *why);

struct plan_item *plan_find(const struct plan *p, uint32_t kind, const char *id);
/* The item that brings a plugin's code, by the plugin's name; NULL: not in this Update. */
struct plan_item *plan_find_plugin(const struct plan *p, const char *name);

/* Resources that were rejected only because of what else the node holds (a reference, or a config
 * that needs refused code): they may fit later, and control does not send them again by itself. */
bool plan_has_misfits(const struct plan *p);
/* Something was accepted that an earlier misfit may have waited for. */
bool plan_may_heal(const struct plan *p);
