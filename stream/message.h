/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf messages from and to bytes that others wrote.  Unpacking is bounded twice: by the
 * size of the bytes (the caller's limit) and by the memory they may unfold into, because two
 * bytes on the wire can ask for a hundred in memory.  A message lives in an arena and dies
 * with it.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/str.h"

/* An arena that an honest message of wire_bytes fits in: 8 times that and 64 KiB. */
int message_arena_new(struct arena **ret, size_t wire_bytes);
/* NULL: not such a message, text that is not UTF-8, or more than the arena may hold
 * (arena_is_exhausted() tells).  The message is the arena's. */
ProtobufCMessage *message_unpack(
		struct arena *a, const ProtobufCMessageDescriptor *desc, struct str wire);

/* Every string of m, at any depth, is UTF-8, as proto3 demands: others refuse the whole
 * message otherwise. */
bool message_is_utf8(const ProtobufCMessage *m);
/* Makes it so: each byte that belongs to no UTF-8 sequence becomes '?'.  text may be NULL. */
void message_utf8_repair(char *text);
