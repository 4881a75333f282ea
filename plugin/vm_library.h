/* SPDX-License-Identifier: Apache-2.0
 *
 * Which LuaJIT this process runs on, and the one fault of it that is closed from outside.
 */
#pragma once

#include "base/why.h"

/* The seeded string hash of OpenResty's branch is linear where the CPU has SSE 4.2: whoever
 * chooses strings can make all of them collide (CVE-2024-39702 class).  The library calls this
 * when it is loaded to choose that hash; our empty definition keeps the other one.  Linking
 * with $(VM_LDFLAGS) makes the library see it. */
__attribute__((visibility("default"))) void str_hash_init_sse42(void);

/* 0, or -ENOTSUP with why when the library is not one that the VM can use. */
int vm_library_check(struct why *why);
