/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership on the stack: a local declared sl_auto(x) is freed on every way out
 * of its block, unless sl_steal() gave it away first.
 *
 *	SL_DEFINE_AUTO(route_table)           beside route_table_free() in its header
 *	sl_auto(route_table) t = NULL;        struct route_table *t, owned
 *	*ret = sl_steal(t);                   handed over; t is NULL now
 *
 * A Lua error or siglongjmp skips cleanups: no sl_auto owner may be live across a
 * call into Lua outside a protected call.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SL_DEFINE_AUTO(type) \
	static inline void sl_auto_##type(struct type **p) \
	{ \
		if (*p != NULL) \
			type##_free(*p); \
	} \
	_Static_assert(1, "")

#define sl_auto(type) __attribute__((cleanup(sl_auto_##type))) struct type *

#define sl_steal(p) \
	__extension__({ \
		__typeof__(p) sl_stolen = (p); \
		(p) = NULL; \
		sl_stolen; \
	})

static inline void sl_free_mem(void *p)
{
	free(*(void **)p);
}

static inline void sl_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void sl_close_file(FILE **f)
{
	if (*f != NULL)
		fclose(*f);
}

/* sl_auto_mem char *s = strdup(…);   sl_auto_fd int fd = -1;   sl_auto_file FILE *f = NULL; */
#define sl_auto_mem __attribute__((cleanup(sl_free_mem)))
#define sl_auto_fd __attribute__((cleanup(sl_close_fd)))
#define sl_auto_file __attribute__((cleanup(sl_close_file)))

/* The fd, and the variable forgets it. */
static inline int sl_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}
