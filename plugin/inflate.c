/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/inflate.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define STEP_BYTES 65536
/* The largest window; 32: gzip or zlib by the header. */
#define WINDOW_BITS (15 + 32)

struct output {
	struct arena *arena;
	char *p;
	size_t n, cap, max;
};

static int make_room(struct output *o)
{
	size_t cap = o->cap * 2 > o->max ? o->max : o->cap * 2;
	char *p;

	if (o->n < o->cap)
		return 0;
	if (o->cap == o->max)
		return -EFBIG;
	if (cap == 0)
		cap = o->max < STEP_BYTES ? o->max : STEP_BYTES;
	p = arena_grow(o->arena, o->p, o->cap, cap);
	if (p == NULL)
		return -ENOMEM;
	o->p = p;
	o->cap = cap;
	return 0;
}

/* One call of zlib.  1: all is read and ended; 0: there is more; else an error. */
static int step(z_stream *z, struct output *o)
{
	size_t room = o->cap - o->n < STEP_BYTES ? o->cap - o->n : STEP_BYTES;
	int r;

	z->next_out = (Bytef *)o->p + o->n;
	z->avail_out = (uInt)room;
	r = inflate(z, Z_NO_FLUSH);
	o->n += room - z->avail_out;
	if (r == Z_STREAM_END && z->avail_in != 0)
		r = inflateReset(z); /* another member */
	else if (r == Z_STREAM_END)
		return 1;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_OK ? 0 : -EINVAL;
}

int inflate_body(struct arena *a, struct str in, size_t max, bool (*must_stop)(void *arg),
		void *arg, struct str *ret)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
	/* One more than allowed tells a body that just fits from one that does not. */
	struct output o = {.arena = a, .max = max + 1};
	int r;

	if (in.n > UINT_MAX)
		return -EFBIG;
	if (inflateInit2(&z, WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	do {
		r = make_room(&o);
		if (r == 0)
			r = step(&z, &o);
		if (r == 0 && must_stop(arg))
			r = -ECANCELED;
	} while (r == 0);
	inflateEnd(&z);
	if (r == 1 && o.n > max)
		return -EFBIG;
	if (r == 1)
		*ret = (struct str){o.p, o.n};
	return r == 1 ? 0 : r;
}
