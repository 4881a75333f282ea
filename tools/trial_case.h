/* SPDX-License-Identifier: Apache-2.0
 *
 * test.yaml, the cases of `sluicectl plugin test`: read, checked key by key, brought into the
 * form that sluice-check takes (plugin/trial.h).  The format is told in docs/plugins.md.
 */
#pragma once

#include <jansson.h>

#include "base/why.h"
#include "shm/yaml_json.h"

struct trial_file {
	char *path;
	struct yaml_json tree;
};

/* 0, or -errno with why: file, line and what is wrong there. */
int trial_file_load(struct trial_file *f, const char *directory, struct why *why);
void trial_file_done(struct trial_file *f);

/* The array of cases; each has a name, and every header and body is text.  Borrowed. */
const json_t *trial_file_cases(const struct trial_file *f);
/* Where the case at that index begins. */
int trial_file_line(const struct trial_file *f, size_t index);
