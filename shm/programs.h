/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the other programs of this installation are.
 */
#pragma once

#include "base/why.h"

/* The absolute path of "sluiced", "sluice-worker", "sluice-control", "sluice-check" or
 * "sluicectl", malloc'd.  Looked for in: $SLUICE_LIBEXEC; the build tree this program runs
 * from; this program's own directory; the installed places.
 * 0, or -ENOENT with why naming every place looked at; -EINVAL: no such program. */
int program_find(const char *name, char **ret, struct why *why);
