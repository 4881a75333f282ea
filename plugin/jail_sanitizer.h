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
	X(wait4) X(open) X(openat) X(readlink) X(getdents) X(getdents64)
/* X(call, argument, mask, value) */
#define JAIL_ALLOW_SANITIZER_RULES(X) \
	X(clone, 0, CLONE_VM | CLONE_UNTRACED, CLONE_VM | CLONE_UNTRACED) \
	X(ptrace, 0, UINT32_MAX, PTRACE_ATTACH) \
	X(ptrace, 0, UINT32_MAX, PTRACE_GETREGS) \
	X(ptrace, 0, UINT32_MAX, PTRACE_GETREGSET) \
	X(ptrace, 0, UINT32_MAX, PTRACE_CONT) \
	X(ptrace, 0, UINT32_MAX, PTRACE_DETACH) \
	X(prctl, 0, UINT32_MAX, PR_SET_DUMPABLE) \
	X(prctl, 0, UINT32_MAX, PR_SET_PTRACER) \
	X(prctl, 0, UINT32_MAX, PR_SET_PDEATHSIG)
/* clang-format on */

/* The folder that a rule set still lets it read. */
#define JAIL_SANITIZER_FOLDER "/proc"
