/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain data as bytes and back: what goes into shm/dict.  Other than JSON it keeps every string
 * and number, numbers as keys, and nil.  Any process; knows no Lua.
 */
#pragma once

#include "base/buf.h"
#include "plugin/value.h"

/* Appends v.  0; -E2BIG when the text would be longer than max; -ENOMEM. */
int value_pack(struct buf *b, const struct value *v, size_t max);
/* bytes are not trusted.  Strings of *ret point into them, tables are made in a.  0; -EINVAL: not
 * what value_pack() makes; -ENOMEM. */
int value_unpack(struct arena *a, struct str bytes, struct value *ret);
