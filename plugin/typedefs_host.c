/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names, IP addresses and ranges.
 */
#include "plugin/typedefs_part.h"

#include <arpa/inet.h>
#include <string.h>

enum host_type { HOST_INVALID, HOST_NAME, HOST_IPV4, HOST_IPV6 };

struct host {
	enum host_type type;
	bool has_port, is_port_bad;
};

static bool is_ipv4(struct str s)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET, text, &addr) == 1;
}

static bool is_ipv6(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET6, text, &addr) == 1;
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* No empty label but the one a final dot leaves, none that begins or ends with '-'. */
static bool is_name(struct str s)
{
	char last = '.';

	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != '.' && !is_label_char(c))
			return false;
		if (c == '.' && (last == '.' || last == '-'))
			return false;
		if (c == '-' && last == '.')
			return false;
		last = c;
	}
	return last != '-';
}

static bool is_digits_and_dots(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	}
	return s.n > 0;
}

static void read_port(struct host *h, struct str port)
{
	uint64_t number;

	h->has_port = true;
	h->is_port_bad = !str_to_u64(port, &number) || number > 65535;
}

static struct host read_ipv6(struct str s)
{
	struct host h = {HOST_INVALID, false, false};
	ptrdiff_t end;

	if (s.p[0] == '[') {
		end = str_find_char(s, ']');
		if (end < 0)
			return h;
		if ((size_t)end + 1 < s.n) {
			if (s.p[end + 1] != ':')
				return h;
			read_port(&h, str_from(s, (size_t)end + 2));
		}
		s = (struct str){s.p + 1, (size_t)end - 1};
	}
	if (is_ipv6(s))
		h.type = HOST_IPV6;
	return h;
}

static struct host read_host(struct str s)
{
	struct host h = {HOST_INVALID, false, false};
	ptrdiff_t colon = str_find_char(s, ':');

	if (s.n == 0)
		return h;
	if (s.p[0] == '[' ||
			(colon >= 0 && str_find_char(str_from(s, (size_t)colon + 1), ':') >= 0))
		return read_ipv6(s);
	if (colon >= 0) {
		read_port(&h, str_from(s, (size_t)colon + 1));
		s = str_head(s, (size_t)colon);
	}
	if (is_digits_and_dots(s))
		h.type = is_ipv4(s) ? HOST_IPV4 : HOST_INVALID;
	else
		h.type = is_name(s) ? HOST_NAME : HOST_INVALID;
	return h;
}

static bool fail_value(struct buf *msg, struct str text)
{
	buf_printf(msg, "invalid value: %.*s", STR_ARG(text));
	return false;
}

static bool fail(struct buf *msg, const char *text)
{
	buf_printf(msg, "%s", text);
	return false;
}

bool typedef_check_host(struct str text, struct buf *msg)
{
	struct host h = read_host(text);

	if (h.type == HOST_INVALID)
		return fail_value(msg, text);
	return !h.has_port || fail(msg, "must not have a port");
}

bool typedef_check_host_with_optional_port(struct str text, struct buf *msg)
{
	struct host h = read_host(text);

	if (h.type == HOST_INVALID)
		return fail_value(msg, text);
	return !h.is_port_bad || fail(msg, "invalid port number");
}

/* A name without a port; `shown` is what the caller's user wrote. */
static bool check_plain_name(struct str text, struct str shown, struct buf *msg)
{
	struct host h = read_host(text);

	if (h.type == HOST_INVALID)
		return fail_value(msg, shown);
	if (h.type != HOST_NAME)
		return fail(msg, "must not be an IP");
	return !h.has_port || fail(msg, "must not have a port");
}

bool typedef_check_sni(struct str text, struct buf *msg)
{
	return check_plain_name(text, text, msg);
}

/* text with its `*` read as a label, so that the rest can be checked as a name. */
static struct str without_wildcard(struct str text, char *room, size_t size)
{
	if (text.n >= size)
		return STR_NONE;
	memcpy(room, text.p, text.n);
	for (size_t i = 0; i < text.n; i++) {
		if (room[i] == '*')
			room[i] = 'w';
	}
	return (struct str){room, text.n};
}

bool typedef_check_wildcard_host(struct str text, struct buf *msg)
{
	ptrdiff_t at = str_find_char(text, '*');
	char room[256];
	struct str mock;

	if (at < 0)
		return check_plain_name(text, text, msg);
	if (at != 0 && (size_t)at + 1 != text.n)
		return fail(msg, "wildcard must be leftmost or rightmost character");
	if (str_find_char(str_from(text, (size_t)at + 1), '*') >= 0)
		return fail(msg, "only one wildcard must be specified");
	mock = without_wildcard(text, room, sizeof(room));
	return mock.p != NULL ? check_plain_name(mock, text, msg) : fail_value(msg, text);
}

/* An SNI may have a wildcard as its first label only. */
bool typedef_check_wildcard_sni(struct str text, struct buf *msg)
{
	if (str_starts(text, STR("*.")))
		return check_plain_name(str_from(text, 2), text, msg);
	return typedef_check_wildcard_host(text, msg);
}

/* Routes' hosts: where the wildcard may stand is said by patterns; a port is allowed. */
bool typedef_check_host_with_wildcard(struct str text, struct buf *msg)
{
	char room[256];
	struct str mock = without_wildcard(text, room, sizeof(room));
	struct host h = mock.p != NULL ? read_host(mock)
				       : (struct host){HOST_INVALID, false, false};

	if (h.type == HOST_INVALID) {
		buf_printf(msg, "invalid hostname: %.*s", STR_ARG(text));
		return false;
	}
	return !h.is_port_bad || fail(msg, "invalid port number");
}

bool typedef_check_ip(struct str text, struct buf *msg)
{
	if (is_ipv4(text) || is_ipv6(text))
		return true;
	buf_printf(msg, "not an ip address: %.*s", STR_ARG(text));
	return false;
}

static bool is_cidr(struct str text, bool allow_v6)
{
	ptrdiff_t slash = str_find_char(text, '/');
	struct str addr = slash < 0 ? text : str_head(text, (size_t)slash);
	uint64_t bits = 0;

	if (slash >= 0 && (!str_to_u64(str_from(text, (size_t)slash + 1), &bits) ||
					  text.n - (size_t)slash > 4))
		return false;
	if (is_ipv4(addr))
		return bits <= 32;
	return allow_v6 && is_ipv6(addr) && bits <= 128;
}

bool typedef_check_ip_or_cidr(struct str text, struct buf *msg)
{
	if (is_cidr(text, true))
		return true;
	buf_printf(msg, "invalid ip or cidr range: '%.*s'", STR_ARG(text));
	return false;
}

bool typedef_check_cidr_v4(struct str text, struct buf *msg)
{
	if (str_find_char(text, '/') >= 0 && is_cidr(text, false))
		return true;
	buf_printf(msg, "invalid ipv4 cidr range: '%.*s'", STR_ARG(text));
	return false;
}
