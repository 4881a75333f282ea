/* SPDX-License-Identifier: Apache-2.0
 *
 * How the makers of specs take fields of an entity.  control/spec*.c only.
 */
#pragma once

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "shm/record.pb-c.h"

/* protobuf-c has no const; a message that is only packed is not written to. */
static inline void *loose(const void *p)
{
	return (void *)(uintptr_t)p;
}

static inline char *text(const json_t *entity, const char *field)
{
	const char *s = json_string_value(json_object_get(entity, field));

	return loose(s != NULL ? s : "");
}

static inline uint32_t number(const json_t *entity, const char *field)
{
	return (uint32_t)json_integer_value(json_object_get(entity, field));
}

static inline ProtobufCBinaryData bytes(const void *p, size_t n)
{
	return (ProtobufCBinaryData){.len = n, .data = loose(p)};
}

static inline int pack(const ProtobufCMessage *m, struct buf *ret)
{
	size_t n = protobuf_c_message_get_packed_size(m);

	if (!buf_reserve(ret, n))
		return -ENOMEM;
	ret->n += protobuf_c_message_pack(m, (uint8_t *)ret->p + ret->n);
	return 0;
}
