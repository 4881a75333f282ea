/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/out.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"

void out_add(struct out *o, struct str s)
{
	if (s.n == 0)
		return;
	sl_assert(o->n < OUT_SLICES);
	o->v[o->n++] = (struct iovec){.iov_base = (char *)(uintptr_t)s.p, .iov_len = s.n};
}

void out_add_chunk(struct out *o, struct str data)
{
	char *line;
	int n;

	if (data.n == 0)
		return;
	sl_assert(o->n_chunks < OUT_CHUNKS);
	line = o->sizes[o->n_chunks++];
	n = snprintf(line, sizeof(o->sizes[0]), "%zx\r\n", data.n);
	out_add(o, (struct str){line, (size_t)n});
	out_add(o, data);
	out_add(o, STR("\r\n"));
}

void out_add_chunk_end(struct out *o)
{
	out_add(o, STR("0\r\n\r\n"));
}

static void drop(struct out *o, size_t n)
{
	o->sent += n;
	while (o->at < o->n && n >= o->v[o->at].iov_len)
		n -= o->v[o->at++].iov_len;
	if (o->at == o->n) {
		o->at = o->n = o->n_chunks = 0;
		return;
	}
	o->v[o->at].iov_base = (char *)o->v[o->at].iov_base + n;
	o->v[o->at].iov_len -= n;
}

int out_flush(struct out *o, struct io *io)
{
	while (o->n != 0) {
		ssize_t put = io_write(io, o->v + o->at, o->n - o->at);

		if (put < 0)
			return (int)put;
		drop(o, (size_t)put);
	}
	return 0;
}
