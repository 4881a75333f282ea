/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writer knows about each kind of record: how it parses, and which indexes follow
 * from it.  Inner part of snapshot_write.
 */
#pragma once

#include "shm/record.pb-c.h"
#include "shm/snap_txn.h"

typedef int snap_index_fn(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why);

struct snap_record_kind {
	const ProtobufCMessageDescriptor *descriptor;
	size_t name;  /* offset of its name in the message */
	size_t field; /* offset of another field it is found by; 0 = none */
	enum snap_field field_letter;
	size_t parent;  /* offset of the id of what it belongs to; 0 = nothing */
	bool is_folded; /* found by its name in any case too */
	bool is_named;  /* found by that name (instances are not: it is their plugin's) */
	bool is_code;   /* refers to blobs */
	snap_index_fn *index, *unindex; /* beyond the name; NULL: nothing */
};

/* NULL for a kind that is not known. */
const struct snap_record_kind *snap_record_kind(uint32_t kind);
/* -EINVAL when the bytes are no such message, or name what no index can hold; -ENOMEM. */
int snap_record_parse(uint32_t kind, struct str record, ProtobufCMessage **ret, struct why *why);
/* Every index entry that follows from a record, in and out. */
int snap_record_index(struct snap_txn *t, uint32_t kind, struct str id, const ProtobufCMessage *m,
		struct why *why);
int snap_record_unindex(struct snap_txn *t, uint32_t kind, struct str id, const ProtobufCMessage *m,
		struct why *why);

static inline void snap_message_free(ProtobufCMessage **m)
{
	if (*m != NULL)
		protobuf_c_message_free_unpacked(*m, NULL);
}

#define sl_auto_message __attribute__((cleanup(snap_message_free)))
