/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/dns_message.h"

#include <errno.h>
#include <stdio.h>

#define LABEL_MAX 63
#define CLASS_IN 1
#define RECORD_FIXED 10 /* type, class, ttl, length of the data */
#define FLAG_RESPONSE 0x8000
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSE 0x0100
#define POINTER 0xc0
#define JUMPS_MAX 127 /* a name has no more labels than that */

static int refuse(struct why *why, const char *text)
{
	why_set(why, NULL, 0, "%s", text);
	return -EINVAL;
}

static unsigned char byte_at(struct str s, size_t at)
{
	return (unsigned char)s.p[at];
}

uint16_t dns_u16(struct str data, size_t at)
{
	return (uint16_t)(byte_at(data, at) << 8 | byte_at(data, at + 1));
}

uint32_t dns_u32(struct str data, size_t at)
{
	return (uint32_t)dns_u16(data, at) << 16 | dns_u16(data, at + 2);
}

static void put_u16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* \DDD or \c at name.p[*at], or a byte as it is; -1: no such escape. */
static int unescape(struct str name, size_t *at)
{
	int c = byte_at(name, (*at)++), v = 0;

	if (c != '\\')
		return c;
	if (*at >= name.n)
		return -1;
	c = byte_at(name, *at);
	if (c < '0' || c > '9') {
		(*at)++;
		return c;
	}
	for (int i = 0; i < 3; i++, (*at)++) {
		if (*at >= name.n || name.p[*at] < '0' || name.p[*at] > '9')
			return -1;
		v = v * 10 + name.p[*at] - '0';
	}
	return v <= 255 ? v : -1;
}

/* One label to p, its length in front; *at is moved behind its dot.  Its bytes, or -EINVAL. */
static int label_write(unsigned char *p, size_t room, struct str name, size_t *at)
{
	size_t n = 0;

	while (*at < name.n && name.p[*at] != '.') {
		int c = unescape(name, at);

		if (c < 0 || n == LABEL_MAX || n + 1 >= room)
			return -EINVAL;
		p[++n] = (unsigned char)c;
	}
	(*at)++;
	p[0] = (unsigned char)n;
	return n != 0 ? (int)n + 1 : -EINVAL;
}

static int name_write(unsigned char *p, struct str name)
{
	size_t at = 0, n = 0;

	if (name.n == 0)
		return -EINVAL;
	if (str_eq(name, STR("."))) {
		p[0] = 0;
		return 1;
	}
	while (at < name.n) {
		int r = label_write(p + n, DNS_WIRE_NAME_MAX - 1 - n, name, &at);

		if (r < 0)
			return r;
		n += (size_t)r;
	}
	p[n++] = 0;
	return (int)n;
}

int dns_question_write(unsigned char ret[DNS_QUESTION_MAX], uint16_t id, struct str name,
		uint16_t type, bool is_recursive, struct why *why)
{
	int n = name_write(ret + DNS_HEADER_BYTES, name);

	if (n < 0)
		return refuse(why, "bad name");
	memset(ret, 0, DNS_HEADER_BYTES);
	put_u16(ret, id);
	put_u16(ret + 2, is_recursive ? FLAG_RECURSE : 0);
	put_u16(ret + 4, 1);
	n += DNS_HEADER_BYTES;
	put_u16(ret + n, type);
	put_u16(ret + n + 2, CLASS_IN);
	return n + 4;
}

static void text_add(struct dns_name_text *t, unsigned char c)
{
	if (c > ' ' && c < 0x7f && c != '.' && c != '\\')
		t->text[t->n++] = (char)c;
	else
		t->n += (size_t)snprintf(t->text + t->n, 5, "\\%03u", c);
}

/* A pointer goes backwards of the label that holds it: no loop is possible, and the whole name
 * has a bound.  *at is moved behind the name. */
static int name_read(struct str m, size_t *at, struct dns_name_text *ret)
{
	size_t here = *at, limit = *at, n_wire = 1;
	unsigned n_jumps = 0;

	ret->n = 0;
	while (here < m.n && byte_at(m, here) != 0) {
		size_t n = byte_at(m, here);

		if ((n & POINTER) == POINTER) {
			if (here + 1 >= m.n)
				return -EINVAL;
			if (n_jumps++ == 0)
				*at = here + 2;
			here = dns_u16(m, here) & 0x3fff;
			if (here >= limit || here < DNS_HEADER_BYTES || n_jumps > JUMPS_MAX)
				return -EINVAL;
			limit = here;
			continue;
		}
		n_wire += n + 1;
		if (n > LABEL_MAX || n > m.n - here - 1 || n_wire > DNS_WIRE_NAME_MAX)
			return -EINVAL;
		if (ret->n != 0)
			ret->text[ret->n++] = '.';
		for (size_t i = 1; i <= n; i++)
			text_add(ret, byte_at(m, here + i));
		here += n + 1;
	}
	if (here >= m.n)
		return -EINVAL;
	if (n_jumps == 0)
		*at = here + 1;
	ret->text[ret->n] = '\0';
	return 0;
}

/* As a server repeats it: letters may have changed their case. */
static bool is_question(struct str message, struct str question)
{
	struct str ours = str_from(question, DNS_HEADER_BYTES);
	struct str theirs = str_head(str_from(message, DNS_HEADER_BYTES), ours.n);
	size_t n_name = ours.n - 4;

	return theirs.n == ours.n && str_ieq(str_head(ours, n_name), str_head(theirs, n_name)) &&
	       str_eq(str_from(ours, n_name), str_from(theirs, n_name));
}

/* What says nothing against the answer's being ours. */
static enum dns_verdict judge(struct str m, struct str question, struct why *why)
{
	uint16_t flags = dns_u16(m, 2), n_questions = dns_u16(m, 4);

	if ((flags & FLAG_RESPONSE) == 0) {
		refuse(why, "bad QR flag in the DNS response");
		return DNS_BAD;
	}
	if (n_questions != 1) {
		/* a server that cannot read the question may leave it out */
		if (n_questions == 0 && (flags & 15) != 0)
			return DNS_OK;
		why_set(why, NULL, 0, "bad number of questions in DNS response: %u", n_questions);
		return DNS_BAD;
	}
	if (!is_question(m, question))
		return DNS_FOREIGN;
	return (flags & FLAG_TRUNCATED) != 0 ? DNS_TRUNCATED : DNS_OK;
}

enum dns_verdict dns_reader_start(
		struct dns_reader *ret, struct str message, struct str question, struct why *why)
{
	enum dns_verdict v;

	*ret = (struct dns_reader){.message = message, .section = DNS_ANSWER};
	if (message.n < DNS_HEADER_BYTES || dns_u16(message, 0) != dns_u16(question, 0))
		return DNS_FOREIGN;
	v = judge(message, question, why);
	if (v != DNS_OK)
		return v;
	ret->code = dns_u16(message, 2) & 15;
	ret->at = dns_u16(message, 4) != 0 ? question.n : DNS_HEADER_BYTES;
	for (int i = DNS_ANSWER; i < DNS_SECTIONS_END; i++)
		ret->left[i] = dns_u16(message, 4 + 2 * (size_t)i);
	return DNS_OK;
}

/* Exact lengths of fixed data, least ones of data with a name behind `fixed` bytes. */
static const struct form {
	uint16_t type;
	uint8_t fixed, n_names, tail;
	bool is_exact, is_strings;
	const char *name;
} forms[] = {
		{DNS_TYPE_A, 4, 0, 0, true, false, "A"},
		{DNS_TYPE_AAAA, 16, 0, 0, true, false, "AAAA"},
		{DNS_TYPE_NS, 0, 1, 0, true, false, "NS"},
		{DNS_TYPE_CNAME, 0, 1, 0, true, false, "CNAME"},
		{DNS_TYPE_PTR, 0, 1, 0, true, false, "PTR"},
		{DNS_TYPE_SOA, 0, 2, 20, true, false, "SOA"},
		{DNS_TYPE_MX, 2, 1, 0, true, false, "MX"},
		{DNS_TYPE_SRV, 6, 1, 0, true, false, "SRV"},
		{DNS_TYPE_TXT, 0, 0, 0, false, true, "TXT"},
		{DNS_TYPE_SPF, 0, 0, 0, false, true, "SPF"},
};

static bool are_strings(struct str data)
{
	size_t at = 0;

	while (at < data.n)
		at += 1 + (size_t)byte_at(data, at);
	return data.n != 0 && at == data.n;
}

static bool has_form(
		const struct dns_reader *r, const struct dns_record *record, const struct form *f)
{
	struct dns_name_text name;
	size_t at = f->fixed;

	if (f->is_strings)
		return are_strings(record->data);
	for (int i = 0; i < f->n_names; i++)
		if (dns_record_name(r, record, at, &name, &at) != 0)
			return false;
	return at + f->tail == record->data.n;
}

static int check_form(const struct dns_reader *r, const struct dns_record *record, struct why *why)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].type != record->type || has_form(r, record, &forms[i]))
			continue;
		why_set(why, NULL, 0, "bad %s record value length: %zu", forms[i].name,
				record->data.n);
		return -EINVAL;
	}
	return 0;
}

int dns_record_next(struct dns_reader *r, struct dns_record *ret, struct why *why)
{
	struct str m = r->message;

	while (r->section < DNS_SECTIONS_END && r->left[r->section] == 0)
		r->section++;
	if (r->section >= DNS_SECTIONS_END)
		return 0;
	r->left[r->section]--;
	ret->section = r->section;
	if (name_read(m, &r->at, &ret->name) != 0)
		return refuse(why, "bad name in the DNS response");
	if (m.n - r->at < RECORD_FIXED)
		return refuse(why, "truncated");
	ret->type = dns_u16(m, r->at);
	ret->class = dns_u16(m, r->at + 2);
	ret->ttl = dns_u32(m, r->at + 4);
	/* RFC 2181, section 8: no more than 31 bits; else 0 */
	if (ret->ttl > INT32_MAX)
		ret->ttl = 0;
	ret->at = r->at + RECORD_FIXED;
	ret->data = str_head(str_from(m, ret->at), dns_u16(m, r->at + 8));
	if (ret->data.n != dns_u16(m, r->at + 8))
		return refuse(why, "truncated");
	r->at = ret->at + ret->data.n;
	return check_form(r, ret, why) == 0 ? 1 : -EINVAL;
}

int dns_record_name(const struct dns_reader *r, const struct dns_record *record, size_t offset,
		struct dns_name_text *ret, size_t *ret_end)
{
	size_t end = record->at + record->data.n, at = record->at + offset;

	/* a name in the data ends in the data, wherever it points */
	if (at >= end || name_read(str_head(r->message, end), &at, ret) != 0 || at > end)
		return -EINVAL;
	*ret_end = at - record->at;
	return 0;
}

const char *dns_code_text(uint16_t code)
{
	static const char *const texts[] = {"", "format error", "server failure", "name error",
			"not implemented", "refused"};

	return code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : "unknown";
}
