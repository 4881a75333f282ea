/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of one VM: a reserved range, size classes, exact accounting.  Nothing is
 * shared with malloc, so that a VM can be thrown away in the middle of anything.
 * Owned by struct vm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_ARENA_SMALL_CLASSES 64 /* 16 … 1024 by 16 */
#define VM_ARENA_CLASSES (VM_ARENA_SMALL_CLASSES + 4 * 22)

struct vm_arena {
	char *base, *top, *end;
	uint64_t live_bytes, peak_bytes; /* as asked for, not rounded */
	void *free_list[VM_ARENA_CLASSES];
};

/* Reserves (does not touch) `bytes` of address space.  0, -ENOMEM. */
int vm_arena_open(struct vm_arena *a, size_t bytes);

/* lua_Alloc's contract without its user data: old_n is what was asked for before.  NULL when
 * the range is used up; the old block is then still valid. */
void *vm_arena_realloc(struct vm_arena *a, void *old, size_t old_n, size_t new_n);

/* Returns the memory to the system: at once when little was touched, else by later calls of
 * vm_arena_reap(), as unmapping 64 MB takes longer than a request. */
void vm_arena_close(struct vm_arena *a);
/* Gives one slice of the closed arenas back; true while there is more. */
bool vm_arena_reap(void);
