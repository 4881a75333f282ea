/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel says of a process: /proc/PID.  Master only.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct proc_usage {
	uint64_t cpu_ms; /* user and system, since its start */
	uint64_t rss_bytes;
};

/* Zeros when there is no such process. */
void proc_read(struct proc_usage *ret, pid_t pid);
