/* SPDX-License-Identifier: Apache-2.0
 *
 * What a handler finds around it, strict and lax: asked of two VMs that are made as a worker
 * makes them, and of the tables that register the functions.  In sluice-check, behind its jail.
 */
#pragma once

#include "plugin/pdk.h"
#include "plugin/source_scan.h"

struct lint_world;

/* 0, -ENOMEM.  One at a time in a process. */
int lint_world_new(struct lint_world **ret);
void lint_world_free(struct lint_world *w);
SL_DEFINE_AUTO(lint_world);

enum lint_answer {
	LINT_THERE,
	LINT_OPEN,    /* below something whose fields are made when asked for: anything may be */
	LINT_MISSING, /* nil */
};
/* path: of kind SCAN_GLOBAL.  On LINT_MISSING *ret_part is the first part that is nil: 0 = the
 * global itself, n = its nth field. */
enum lint_answer lint_world_ask(struct lint_world *w, enum vm_level level,
		const struct scan_ref *path, int *ret_part);
/* Whether a handler may assign to that path. */
bool lint_world_is_writable(struct lint_world *w, const struct scan_ref *path);
bool lint_world_has_module(struct lint_world *w, enum vm_level level, struct str name);

/* The row of a function by its dotted name ("kong.request.get_path"), or NULL. */
const struct pdk_function *lint_world_row(const struct lint_world *w, struct str name);
/* The name that may have been meant, or NULL; valid until the next call. */
const char *lint_world_like(struct lint_world *w, struct str name);

/* "kong.request.get_path", cut at size. */
struct str lint_path_text(const struct scan_ref *path, char *buf, size_t size);
