/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether one image of sluiced can take over from another: the new binary is asked, run as
 * `BINARY [-c FILE] --handover-check FD` with the record that it would get.  Its first line on
 * stdout is HANDOVER_ANSWER, its format, version, build; else it says why not on stderr.
 */
#pragma once

#include <stdbool.h>

#include "base/why.h"
#include "master/handover.h"
#include "shm/conf.h"

#define HANDOVER_ANSWER "sluice-handover"

/* What the images must agree about: layouts of shared memory, and keys of the configuration that
 * its shapes and the listeners come from.  False: no memory. */
bool handover_fill_same(struct handover *h, const struct conf *conf);
/* -EPROTO with why: the first that differs from what this image has. */
int handover_compare_same(const struct handover *h, const struct conf *conf, struct why *why);

/* The new binary: its exit code. */
int handover_check_run(const char *conf_file, const char *fd_text);
