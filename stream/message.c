/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/message.h"

#define ARENA_FLOOR_BYTES (64U * 1024U)
#define ARENA_FACTOR 8U

int message_arena_new(struct arena **ret, size_t wire_bytes)
{
	return arena_new(ret, ARENA_FLOOR_BYTES + wire_bytes * ARENA_FACTOR);
}

static void *alloc_in_arena(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void free_in_arena(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

ProtobufCMessage *message_unpack(
		struct arena *a, const ProtobufCMessageDescriptor *desc, struct str wire)
{
	ProtobufCAllocator allocator = {
			.alloc = alloc_in_arena, .free = free_in_arena, .allocator_data = a};
	ProtobufCMessage *m = protobuf_c_message_unpack(
			desc, &allocator, wire.n, (const uint8_t *)wire.p);

	return m != NULL && message_is_utf8(m) ? m : NULL;
}

/* Bytes of the sequence at p (RFC 3629 §4: no overlong forms, no surrogates); 0 = none. */
static size_t utf8_sequence(const uint8_t *p)
{
	uint32_t low = 0x80, high = 0xbf;
	size_t more;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	more = p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f;
	/* The terminating NUL is never a continuation byte, so no read goes past it. */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return more + 1;
}

static bool text_is_utf8(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	while (p != NULL && *p != '\0') {
		size_t n = utf8_sequence(p);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

void message_utf8_repair(char *text)
{
	while (text != NULL && *text != '\0') {
		size_t n = utf8_sequence((const uint8_t *)text);

		if (n == 0)
			*text = '?';
		text += n != 0 ? n : 1;
	}
}

static bool value_is_utf8(const ProtobufCFieldDescriptor *f, const void *value)
{
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return text_is_utf8(*(const char *const *)value);
	return *(const ProtobufCMessage *const *)value == NULL ||
	       message_is_utf8(*(const ProtobufCMessage *const *)value);
}

static bool field_is_utf8(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *at = (const char *)m + f->offset;
	const void *const *list;
	size_t n;

	if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
			*(const uint32_t *)(const void *)((const char *)m + f->quantifier_offset) !=
					f->id)
		return true;
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return value_is_utf8(f, at);
	n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
	list = *(const void *const *const *)(const void *)at;
	for (size_t i = 0; i < n; i++) {
		if (!value_is_utf8(f, &list[i]))
			return false;
	}
	return true;
}

bool message_is_utf8(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		if (!field_is_utf8(m, &m->descriptor->fields[i]))
			return false;
	}
	return true;
}
