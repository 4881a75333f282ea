/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp layer of plugin/jail.h.
 */
#pragma once

#include <stdbool.h>

#include "base/why.h"
#include "plugin/jail.h"

/* Loads the filter on every thread.  Needs no-new-privs.  0, or -errno with why. */
int jail_seccomp_load(const struct jail_conf *conf, struct why *why);
