/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of DNS (RFC 1035): a question is written, an answer is read, record by record, without
 * memory of its own.  What a name server sends is foreign: names have at most 255 bytes and
 * point backwards only, records end where they say.  Knows no Lua.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

#define DNS_HEADER_BYTES 12
#define DNS_WIRE_NAME_MAX 255
#define DNS_QUESTION_MAX (DNS_HEADER_BYTES + DNS_WIRE_NAME_MAX + 4)
/* A name as text: a byte that is no printable ASCII, a dot or a backslash within a label is \DDD,
 * so that no name reads as another. */
#define DNS_NAME_TEXT_MAX (4 * DNS_WIRE_NAME_MAX)

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_SPF = 99,
};
enum dns_section { DNS_ANSWER = 1, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS_END };

/* The question for (name, type) of class IN.  The name may end in a dot, and escape bytes as above.
 * Returns its length, or -EINVAL with why. */
int dns_question_write(unsigned char ret[DNS_QUESTION_MAX], uint16_t id, struct str name,
		uint16_t type, bool is_recursive, struct why *why);

struct dns_name_text {
	size_t n;
	char text[DNS_NAME_TEXT_MAX + 1];
};

struct dns_reader {
	struct str message;
	size_t at;
	uint16_t code;                   /* of the response; 0 = no error */
	uint16_t left[DNS_SECTIONS_END]; /* records not yet read, by section */
	enum dns_section section;        /* of the next record */
};

/* What a response is to a question of ours. */
enum dns_verdict {
	DNS_OK,
	DNS_FOREIGN,   /* other id, or other question: somebody else's, or forged; wait on */
	DNS_TRUNCATED, /* ask again by TCP */
	DNS_BAD        /* with why */
};

/* question: the bytes of dns_question_write().  The reader holds on to `message`. */
enum dns_verdict dns_reader_start(
		struct dns_reader *ret, struct str message, struct str question, struct why *why);

struct dns_record {
	enum dns_section section;
	struct dns_name_text name;
	uint16_t type, class;
	uint32_t ttl;
	/* The data: bytes of the message.  Names in it are read with dns_record_name(). */
	struct str data;
	size_t at; /* of the data in the message */
};

/* 1 = a record, 0 = no more, -EINVAL with why.  A record whose type is known above has data of the
 * right form. */
int dns_record_next(struct dns_reader *r, struct dns_record *ret, struct why *why);
/* The name `offset` bytes into the data; -EINVAL. *ret_end: where it ended, in the data. */
int dns_record_name(const struct dns_reader *r, const struct dns_record *record, size_t offset,
		struct dns_name_text *ret, size_t *ret_end);
/* Big-endian numbers in the data, which the caller knows to be that long. */
uint16_t dns_u16(struct str data, size_t at);
uint32_t dns_u32(struct str data, size_t at);

/* "name error" and the like, as the resolver library of OpenResty says it. */
const char *dns_code_text(uint16_t code);
