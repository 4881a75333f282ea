/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a stream as its receiver sees them: gRPC frames, each unpacked as a message of
 * the control plane and of a node.  What unpacks packs again to the size it says.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "stream/grpc_frame.h"
#include "stream/message.h"
#include "stream/sluice.pb-c.h"

#define LIMIT_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void unpack(const ProtobufCMessageDescriptor *desc, struct str wire)
{
	sl_auto(arena) a = NULL;
	ProtobufCMessage *m;
	uint8_t *again;
	size_t again_n;

	if (message_arena_new(&a, wire.n) != 0)
		return;
	m = message_unpack(a, desc, wire);
	if (m == NULL)
		return;
	again_n = protobuf_c_message_get_packed_size(m);
	again = malloc(again_n + 1);
	if (again != NULL)
		sl_assert(protobuf_c_message_pack(m, again) == again_n);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct grpc_decoder d;
	struct str in = {(const char *)data, n}, message;

	/* As one message, so that inputs need no valid prefix to be deep, and as frames. */
	unpack(&sluice__stream__v1__control_message__descriptor, in);
	unpack(&sluice__stream__v1__node_message__descriptor, in);
	grpc_decoder_init(&d, LIMIT_BYTES);
	while (grpc_decoder_next(&d, &in, &message) == GRPC_FRAME_MESSAGE) {
		unpack(&sluice__stream__v1__control_message__descriptor, message);
		unpack(&sluice__stream__v1__node_message__descriptor, message);
	}
	grpc_decoder_done(&d);
	return 0;
}
