/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of a directory and what sluice-check says of it: one verdict about its sources, then
 * one trial per case.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "plugin/schema.h"
#include "tools/trial_case.h"

struct trial_plugin {
	const char *directory;
	char *name, *program;
	struct buf handler, schema_text;
	struct trial_file file;
	json_t *verdict; /* of the sources */
	struct schema *schema;
};

/* 0, or -errno with why: something in the directory cannot be read. */
int trial_plugin_load(struct trial_plugin *p, const char *directory, struct why *why);
void trial_plugin_done(struct trial_plugin *p);

/* Errors of the verdict, as "file:line: text": the plugin cannot run.  New reference. */
json_t *trial_plugin_errors(const struct trial_plugin *p);

/* {"name":s, "line":n, "passed":b, "differences":[…], "log":[…], "reply":{…}} of the case at
 * that index.  New reference. */
json_t *trial_ask(const struct trial_plugin *p, size_t index);
