/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed-size piece of memory shared by the master and its workers: a memfd that
 * nobody can shrink (so no reader gets SIGBUS), with magic and abi in its first bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

/* What every shared struct starts with. */
struct area_head {
	uint32_t magic, abi;
};

/* A zeroed memfd of that size that can neither shrink nor grow; CLOEXEC.  -errno with why. */
int area_memfd(const char *name, size_t size, struct why *why);
/* Zeroed but for its head; *ret_fd is CLOEXEC.  0 or -errno with why. */
int area_create(void **ret, int *ret_fd, const char *name, size_t size, struct area_head head,
		struct why *why);
/* The same on memory that somebody else made: a zeroed BPF array of one value (BPF_F_MMAPABLE). */
int area_adopt(void **ret, int fd, const char *name, size_t size, struct area_head head,
		struct why *why);
/* Maps an inherited fd read-write, after checking size, seals and head.  -EBADF with why.  A BPF
 * map has neither size nor seals to check: it cannot shrink, and one that is too small cannot be
 * mapped. */
int area_map(void **ret, int fd, const char *name, size_t size, struct area_head head,
		struct why *why);
void area_unmap(void *p, size_t size);
