/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/grpc_frame.h"

#include <errno.h>
#include <string.h>

/* A buffer that once held a big message is not kept for the small ones after it. */
#define BODY_KEPT_BYTES (256U * 1024U)

void grpc_decoder_init(struct grpc_decoder *d, size_t limit_bytes)
{
	*d = (struct grpc_decoder){.limit_bytes = limit_bytes};
}

void grpc_decoder_done(struct grpc_decoder *d)
{
	buf_done(&d->body);
}

bool grpc_decoder_is_idle(const struct grpc_decoder *d)
{
	return d->prefix_n == 0;
}

static struct str take(struct str *in, size_t wanted)
{
	struct str head = str_head(*in, wanted);

	in->p += head.n;
	in->n -= head.n;
	return head;
}

static int prefix_check(struct grpc_decoder *d)
{
	d->message_bytes = (size_t)d->prefix[1] << 24 | (size_t)d->prefix[2] << 16 |
			   (size_t)d->prefix[3] << 8 | (size_t)d->prefix[4];
	if (d->prefix[0] > 1)
		return GRPC_FRAME_E_MALFORMED;
	if (d->prefix[0] == 1)
		return GRPC_FRAME_E_COMPRESSED;
	return d->message_bytes > d->limit_bytes ? GRPC_FRAME_E_TOO_BIG : 0;
}

/* 0 also while the prefix is not whole. */
static int prefix_read(struct grpc_decoder *d, struct str *in)
{
	struct str got = take(in, GRPC_PREFIX_BYTES - d->prefix_n);

	if (got.n > 0)
		memcpy(d->prefix + d->prefix_n, got.p, got.n);
	d->prefix_n += got.n;
	if (d->prefix_n < GRPC_PREFIX_BYTES)
		return 0;
	if (d->body.cap > BODY_KEPT_BYTES)
		buf_done(&d->body);
	buf_clear(&d->body);
	return prefix_check(d);
}

int grpc_decoder_next(struct grpc_decoder *d, struct str *in, struct str *ret_message)
{
	struct str got;

	if (d->prefix_n < GRPC_PREFIX_BYTES) {
		int r = prefix_read(d, in);

		if (r != 0 || d->prefix_n < GRPC_PREFIX_BYTES)
			return r;
	}
	got = take(in, d->message_bytes - d->body.n);
	if (got.n > 0)
		buf_add_str(&d->body, got);
	if (d->body.is_failed)
		return -ENOMEM;
	if (d->body.n < d->message_bytes)
		return GRPC_FRAME_NEEDS_MORE;
	d->prefix_n = 0;
	*ret_message = buf_str(&d->body);
	return GRPC_FRAME_MESSAGE;
}

void grpc_prefix_make(uint8_t ret[GRPC_PREFIX_BYTES], uint32_t n)
{
	ret[0] = 0;
	ret[1] = (uint8_t)(n >> 24);
	ret[2] = (uint8_t)(n >> 16);
	ret[3] = (uint8_t)(n >> 8);
	ret[4] = (uint8_t)n;
}
