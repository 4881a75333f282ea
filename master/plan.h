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
#include "shm/record.pb-c.h"
#include "stream/sluice.pb-c.h"

#define PLAN_ID_MAX 64

struct intake;
struct snap_view;

enum plan_state { PLAN_PENDING, PLAN_ACCEPTED, PLAN_REJECTED, PLAN_REMOVED };

struct plan_item {
	uint32_t kind;
	const char *id; /* in the Update, or kept by the intake */
	uint64_t version;
	struct str spec;            /* as id; empty for a removal */
	const uint8_t *spec_sha256; /* 32 bytes, as id; NULL for a removal */
	enum plan_state state;
	bool is_written;   /* into the intake's transaction already */
	const char *code;  /* REJECTED: error_code, static */
	struct why *why;   /* REJECTED: owned */
	uint64_t in_force; /* set by apply */
	/* PLUGIN_CODE / PLUGIN_INSTANCE: parsed, owned */
	Sluice__Record__PluginCode *plugin;
	Sluice__Record__PluginInstance *instance;
};

struct plan {
	Sluice__Stream__V1__Update *update;
	/* In (kind, id) order.  With an intake: rejected ones, plugins and their instances only. */
	struct plan_item *items;
	size_t n;
	uint64_t n_resources, n_removed; /* of the whole Update */
	bool is_full;
	struct intake *intake; /* NULL: it came whole */
	uint64_t started_ms;
};

/* What the node holds, for judging an Update. */
struct plan_base {
	struct snap_view *held; /* NULL: nothing */
	uint64_t source_bytes_max;
};

/* update: borrowed, copied.  0; -EINVAL with *ret_refused_for (Ack.refused_for, static) and why
 * when the Update as a whole is refused; -ENOMEM.  A resource that is wrong by itself is
 * REJECTED in the plan. */
int plan_new(struct plan **ret, const Sluice__Stream__V1__Update *update,
		const struct plan_base *base, const char **ret_refused_for, struct why *why);
/* With what stands in the Update beside its resources: for an intake. */
int plan_new_in_parts(struct plan **ret, const Sluice__Stream__V1__Update *update,
		const struct plan_base *base, const char **ret_refused_for, struct why *why);
/* No field is missing or has an impossible size. */
bool plan_is_well_formed(const Sluice__Stream__V1__Update *update);
/* Checks a resource by itself: its hash, its form, its limits. */
void plan_inspect(struct plan_item *item, uint64_t source_bytes_max);
/* For bsearch(3), qsort(3): (kind, id) byte order. */
int plan_item_cmp(const void *a, const void *b);
int plan_refuse(const char **ret_refused_for, const char *reason, struct why *why,
		const char *text);
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
/* What held refuses may be understood now: an earlier version of this program did not know its
 * kind. Control does not send it again by itself. */
bool plan_may_know_better(const struct snap_view *held);
/* Something was accepted that an earlier misfit may have waited for. */
bool plan_may_heal(const struct plan *p);
