/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC's framing of messages (gRPC over HTTP/2, "Length-Prefixed-Message"): one byte that
 * says whether the message is compressed, four bytes of length, big-endian, the message.
 * The length is checked against the limit before anything is allocated, and memory then
 * follows the bytes that arrive, not the length that was promised.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define GRPC_PREFIX_BYTES 5

/* Conditions of grpc_decoder_next(). */
enum grpc_frame {
	GRPC_FRAME_NEEDS_MORE = 0, /* the input is used up */
	GRPC_FRAME_MESSAGE,        /* *ret_message is one message */
	GRPC_FRAME_E_COMPRESSED,
	GRPC_FRAME_E_TOO_BIG,
	GRPC_FRAME_E_MALFORMED, /* the first byte is neither 0 nor 1 */
};

/* Embedded by value; grpc_decoder_init(), grpc_decoder_done(). */
struct grpc_decoder {
	uint8_t prefix[GRPC_PREFIX_BYTES];
	size_t prefix_n;
	size_t message_bytes; /* of the message under way */
	size_t limit_bytes;
	struct buf body;
};

void grpc_decoder_init(struct grpc_decoder *d, size_t limit_bytes);
void grpc_decoder_done(struct grpc_decoder *d);
/* Takes bytes off the front of *in until a message is whole.  *ret_message is valid until the
 * next call.  An enum grpc_frame, or -ENOMEM; after an error the decoder is of no more use. */
int grpc_decoder_next(struct grpc_decoder *d, struct str *in, struct str *ret_message);
/* The input may end here: no message is half read. */
bool grpc_decoder_is_idle(const struct grpc_decoder *d);

/* The prefix of an uncompressed message of n bytes. */
void grpc_prefix_make(uint8_t ret[GRPC_PREFIX_BYTES], uint32_t n);
