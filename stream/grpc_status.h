/* SPDX-License-Identifier: Apache-2.0
 *
 * How a gRPC call ends: the code in trailer grpc-status, the text in grpc-message, which is
 * percent-encoded (gRPC over HTTP/2, "Responses").
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* X(name, number) */
#define GRPC_STATUS_TABLE(X) \
	X(OK, 0) \
	X(CANCELLED, 1) \
	X(UNKNOWN, 2) \
	X(INVALID_ARGUMENT, 3) \
	X(DEADLINE_EXCEEDED, 4) \
	X(NOT_FOUND, 5) \
	X(ALREADY_EXISTS, 6) \
	X(PERMISSION_DENIED, 7) \
	X(RESOURCE_EXHAUSTED, 8) \
	X(FAILED_PRECONDITION, 9) \
	X(ABORTED, 10) \
	X(OUT_OF_RANGE, 11) \
	X(UNIMPLEMENTED, 12) \
	X(INTERNAL, 13) \
	X(UNAVAILABLE, 14) \
	X(DATA_LOSS, 15) \
	X(UNAUTHENTICATED, 16)

enum grpc_status {
#define X(name, number) GRPC_##name = number,
	GRPC_STATUS_TABLE(X)
#undef X
};

/* "UNAVAILABLE"; "UNKNOWN" for what is not in the table. */
const char *grpc_status_name(unsigned status);

/* Bytes outside 0x20 … 0x7e, and '%', as %XX.  Cut at a whole escape to fit size (> 0), NUL
 * behind.  Returns the length. */
size_t grpc_message_encode(char *ret, size_t size, const char *text);
/* The reverse; a '%' without two digits stays as it is. */
size_t grpc_message_decode(char *ret, size_t size, struct str text);
