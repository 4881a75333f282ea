/* SPDX-License-Identifier: Apache-2.0
 *
 * The YAML side of the node configuration.  Inner part of conf.
 */
#pragma once

#include "shm/conf.h"

/* Every key of the file into c.  0; -EINVAL with file, line; -errno; -ENOMEM. */
int conf_file_read(struct conf *c, const char *file, struct why *why);
/* The same from memory; name stands for the file in errors. */
int conf_text_read(struct conf *c, const char *name, struct str text, struct why *why);
