/* SPDX-License-Identifier: Apache-2.0
 *
 * USDT probes of a worker, provider "sluice": a one-byte nop each, and not even their arguments
 * are made while nobody listens (semaphores).  For `sluicectl trace`, bpftrace and perf.  The
 * plain nop of sys/sdt.h on purpose: longer ones are patched into calls that clobber the red
 * zone and break forked children on some kernels.
 *
 * Any process may contain them; workers have those that fire.
 */
#pragma once

#include <stdint.h>

/* X(probe, arguments in order).  Strings are NUL-terminated; times are nanoseconds. */
/* clang-format off */
#define PROBE_TABLE(X) \
	X(request_start, "request id") \
	X(request_done,  "request id, route name, status, whole time") \
	X(plugin_start,  "request id, plugin, phase") \
	X(plugin_done,   "request id, plugin, phase, time, route name, 0 or 1 = failed") \
	X(budget_trip,   "request id, plugin, phase, limit") \
	X(reload,        "generation, time")
/* clang-format on */

#ifdef HAVE_SYS_SDT_H
#define _SDT_HAS_SEMAPHORES 1
#define SDT_USE_VARIADIC 1
#include <sys/sdt.h>

#define X(probe, doc) extern unsigned short sluice_##probe##_semaphore;
PROBE_TABLE(X)
#undef X

/* Somebody listens. */
#define PROBE_IS_ON(probe) \
	(__builtin_expect(*(volatile unsigned short *)&sluice_##probe##_semaphore, 0) != 0)
#define PROBE(probe, ...) \
	do { \
		if (PROBE_IS_ON(probe)) \
			STAP_PROBEV(sluice, probe, __VA_ARGS__); \
	} while (0)
#else
#define PROBE_IS_ON(probe) 0
#define PROBE(probe, ...) \
	do { \
		if (0) \
			probe_args(0, __VA_ARGS__); \
	} while (0)
static inline void probe_args(int unused, ...)
{
	(void)unused;
}
#endif
