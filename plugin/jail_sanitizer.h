/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where a jail knows of sanitizers.  LeakSanitizer looks for leaks at the end
 * of a process from a thread that traces the others: it clones, traces, waits, and lists
 * /proc/self/task.  A build with --enable-asan leaves it that, in processes with a network
 * (sluice-check ends without a look at its leaks); any other build compiles none of it.
 */
#pragma once

#ifdef WITH_ASAN
#define JAIL_HAS_SANITIZER true
#else
#define JAIL_HAS_SANITIZER false
#endif

/* clang-format off */
#define JAIL_ALLOW_SANITIZER_TABLE(X) \
	X(clone) X(ptrace) X(wait4) X(prctl) X(open) X(openat) X(readlink) \
	X(getdents) X(getdents64)
/* clang-format on */

/* The folder that a rule set still lets it read. */
#define JAIL_SANITIZER_FOLDER "/proc"
