/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vm_arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 16U
#define SMALL_MAX 1024U
#define PAGE 4096U
/* Freed blocks from this size on give their pages back. */
#define RELEASE_MIN (1U << 20)
#define CLOSE_AT_ONCE_MAX (4U << 20)
#define REAP_SLICE (4U << 20)
#define GRAVES_MAX 16

/* Closed arenas whose touched pages wait for vm_arena_reap(). */
static struct grave {
	char *base, *top, *end;
} graves[GRAVES_MAX];

struct free_block {
	struct free_block *next;
};

int vm_arena_open(struct vm_arena *a, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	/* A 2 MB page per VM would cost more than the VM. */
	(void)madvise(p, bytes, MADV_NOHUGEPAGE);
	*a = (struct vm_arena){.base = p, .top = p, .end = (char *)p + bytes};
	return 0;
}

/* The class of n bytes, and in *ret_size what its blocks hold: multiples of 16 up to 1024,
 * then four steps per doubling. */
static size_t class_of(size_t n, size_t *ret_size)
{
	size_t power, step, k;
	unsigned e;

	if (n <= SMALL_MAX) {
		size_t class = (n - 1) / ALIGN;

		*ret_size = (class + 1) * ALIGN;
		return class;
	}
	e = 63U - (unsigned)__builtin_clzll(n - 1);
	power = (size_t)1 << e;
	step = power / 4;
	k = (n - 1 - power) / step;
	*ret_size = power + (k + 1) * step;
	return VM_ARENA_SMALL_CLASSES + (e - 10U) * 4U + k;
}

static void *take_block(struct vm_arena *a, size_t n)
{
	size_t size, class;
	struct free_block *b;
	char *p = a->top;

	if (n > (size_t)(a->end - a->base))
		return NULL;
	class = class_of(n, &size);
	b = a->free_list[class];
	if (b != NULL) {
		a->free_list[class] = b->next;
		return b;
	}
	if (size > (size_t)(a->end - p))
		return NULL;
	a->top = p + size;
	return p;
}

static void give_block(struct vm_arena *a, void *p, size_t n)
{
	size_t size, class = class_of(n, &size);
	struct free_block *b = p;

	if ((char *)p + size == a->top && size >= PAGE) {
		a->top = p;
	} else {
		b->next = a->free_list[class];
		a->free_list[class] = b;
	}
	if (size >= RELEASE_MIN) {
		uintptr_t from = ((uintptr_t)p + sizeof(*b) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
		uintptr_t to = ((uintptr_t)p + size) & ~(uintptr_t)(PAGE - 1);

		(void)madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_DONTNEED);
	}
}

/* Does the block keep its place?  Same class, or the last block, which can grow. */
static bool resize_in_place(struct vm_arena *a, char *p, size_t old_n, size_t new_n)
{
	size_t old_size, new_size, old_class, new_class;

	if (new_n > (size_t)(a->end - a->base))
		return false;
	old_class = class_of(old_n, &old_size);
	new_class = class_of(new_n, &new_size);
	if (old_class == new_class)
		return true;
	if (p + old_size != a->top || new_size > (size_t)(a->end - p))
		return false;
	a->top = p + new_size;
	return true;
}

static void account(struct vm_arena *a, size_t old_n, size_t new_n)
{
	a->live_bytes = a->live_bytes - old_n + new_n;
	if (a->live_bytes > a->peak_bytes)
		a->peak_bytes = a->live_bytes;
}

void *vm_arena_realloc(struct vm_arena *a, void *old, size_t old_n, size_t new_n)
{
	void *p;

	if (old == NULL)
		old_n = 0;
	if (new_n == 0) {
		if (old_n != 0)
			give_block(a, old, old_n);
		account(a, old_n, 0);
		return NULL;
	}
	if (old_n != 0 && resize_in_place(a, old, old_n, new_n)) {
		account(a, old_n, new_n);
		return old;
	}
	p = take_block(a, new_n);
	if (p == NULL)
		return NULL;
	if (old_n != 0) {
		memcpy(p, old, old_n < new_n ? old_n : new_n);
		give_block(a, old, old_n);
	}
	account(a, old_n, new_n);
	return p;
}

static bool bury(const struct vm_arena *a)
{
	for (size_t i = 0; i < GRAVES_MAX; i++) {
		if (graves[i].base == NULL) {
			graves[i] = (struct grave){a->base, a->top, a->end};
			return true;
		}
	}
	return false;
}

void vm_arena_close(struct vm_arena *a)
{
	if (a->base == NULL)
		return;
	if (a->peak_bytes <= CLOSE_AT_ONCE_MAX || !bury(a))
		(void)munmap(a->base, (size_t)(a->end - a->base));
	*a = (struct vm_arena){.base = NULL};
}

bool vm_arena_reap(void)
{
	for (size_t i = 0; i < GRAVES_MAX; i++) {
		struct grave *g = &graves[i];

		if (g->base == NULL)
			continue;
		if ((size_t)(g->top - g->base) > REAP_SLICE) {
			g->top -= REAP_SLICE;
			g->top -= (uintptr_t)g->top & (PAGE - 1);
			(void)munmap(g->top, (size_t)(g->end - g->top));
			g->end = g->top;
			return true;
		}
		(void)munmap(g->base, (size_t)(g->end - g->base));
		g->base = NULL;
		return true;
	}
	return false;
}
