/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/probe.h"

#ifdef HAVE_SYS_SDT_H
/* Where the tracer counts itself in; the section is what sys/sdt.h's notes speak of. */
#define X(probe, doc) __attribute__((section(".probes"))) unsigned short sluice_##probe##_semaphore;
PROBE_TABLE(X)
#undef X
#endif
