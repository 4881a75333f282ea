/* SPDX-License-Identifier: Apache-2.0
 *
 * DB-less: brings the store to what a declarative configuration says, in one transaction.
 * A configuration that is not valid changes nothing.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "control/op.h"

struct loader;

int loader_new(struct loader **ret, struct model *model, struct op_runner *runner);
void loader_free(struct loader *l);
SL_DEFINE_AUTO(loader);

/* Reads the file and applies it; the outcome is logged, every error with its place. */
void loader_load_file(struct loader *l, const char *path);

struct loader_request {
	struct str text;  /* YAML or JSON; borrowed until done */
	const char *name; /* for places: "kong.yml" */
	const char *what; /* for the log */
	bool is_check_hash, is_flatten;
	bool is_answered; /* 201 comes with the entities: costs memory for each */
	/* status 201, 304, 400 …; body is borrowed, may be NULL */
	void (*done)(void *arg, int status, json_t *body);
	void *arg;
};
/* -EBUSY while another configuration is being applied (done is not called). */
int loader_apply(struct loader *l, const struct loader_request *request);

/* What the store holds as a declarative file: malloc'd YAML. */
char *loader_export(struct model *model);
