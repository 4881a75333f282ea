/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of a message as it arrives: by length, chunked (RFC 9112 7.1), or until close.
 * Gives back slices of the input, nothing is copied.  Chunk sizes are hexadecimal digits
 * without sign or space, at most 15; extensions must be well formed and are dropped; trailer
 * fields must be well formed and are dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_body {
	enum h1_framing framing;
	uint64_t left; /* of the length, or of the chunk */
	uint8_t state;
	uint32_t meta_bytes; /* of the chunk line or trailer section in hand */
	bool is_over;
};

enum h1_more {
	H1_DATA, /* *ret holds bytes of the body */
	H1_WANT, /* the input is used up, the body is not over */
	H1_END,  /* the body is over; what is left of the input belongs to the next message */
	H1_BAD,  /* malformed */
};

void h1_body_init(struct h1_body *b, enum h1_framing framing, uint64_t length);
/* Takes from the front of *in. */
enum h1_more h1_body_next(struct h1_body *b, struct str *in, struct str *ret);
/* The peer closed: true if that is where the body may end. */
bool h1_body_eof(struct h1_body *b);
