/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

/* A file of at most 16 MB whole.  0, or -errno with why naming it. */
int file_text_read(const char *path, struct buf *out, struct why *why);
