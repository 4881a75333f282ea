/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/address.h"

#include <errno.h>

static void copy(char *to, struct str s)
{
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

static int address_error(struct why *why, struct str text, const char *what)
{
	why_set(why, NULL, 0, "address \"%.*s\": %s", STR_ARG(text), what);
	return -EINVAL;
}

static int unix_parse(struct address *ret, struct str text, struct why *why)
{
	struct str path = str_from(text, sizeof("unix:") - 1);

	if (path.n == 0 || path.n >= ADDRESS_PATH_BYTES)
		return address_error(why, text, "the path of a unix socket has 1 to 107 bytes");
	*ret = (struct address){.is_unix = true};
	copy(ret->host, path);
	return 0;
}

int address_parse(struct address *ret, struct str text, struct why *why)
{
	struct str host = text, port;
	uint64_t number;
	size_t colon = text.n;

	if (str_find_char(text, '\0') >= 0)
		return address_error(why, text, "a NUL byte is in it");
	if (str_starts(text, STR("unix:")))
		return unix_parse(ret, text, why);
	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return address_error(why, text, "host:port or unix:/path is wanted");
	host = str_head(text, colon - 1);
	port = str_from(text, colon);
	if (port.n > 5 || !str_to_u64(port, &number) || number > 65535)
		return address_error(why, text, "the port is not a number from 0 to 65535");
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	else if (str_find_char(host, ':') >= 0)
		return address_error(why, text, "an IPv6 address is written [address]:port");
	if (host.n == 0 || host.n >= ADDRESS_HOST_BYTES)
		return address_error(why, text, "the host has 1 to 255 bytes");
	*ret = (struct address){.is_unix = false};
	copy(ret->host, host);
	copy(ret->port, port);
	return 0;
}
