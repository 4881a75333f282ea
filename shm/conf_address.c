/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of the node configuration that programs take apart: lists, addresses, workers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "shm/conf.h"

bool conf_list_next(const char **at, struct str *ret)
{
	while (**at != '\0') {
		size_t n = strcspn(*at, ",");
		struct str member = str_trim((struct str){*at, n});

		*at += n + ((*at)[n] == ',');
		if (member.n == 0 || str_eq(member, STR("off")))
			continue;
		*ret = member;
		return true;
	}
	return false;
}

/* "1.2.3.4:80" → host, port; "80" → "", port; "[::1]:80" likewise. */
static bool address_split(struct str text, struct str *ret_host, struct str *ret_port)
{
	ptrdiff_t at;

	if (text.n != 0 && text.p[0] == '[') {
		at = str_find_char(text, ']');
		if (at < 0 || (size_t)at + 1 >= text.n || text.p[at + 1] != ':')
			return false;
		*ret_host = (struct str){text.p + 1, (size_t)at - 1};
		*ret_port = str_from(text, (size_t)at + 2);
		return true;
	}
	at = str_find_char(text, ':');
	*ret_host = at < 0 ? STR("0.0.0.0") : str_head(text, (size_t)at);
	*ret_port = at < 0 ? text : str_from(text, (size_t)at + 1);
	return true;
}

static int address_refuse(struct str text, struct why *why)
{
	why_set(why, NULL, 0,
			"\"%.*s\" is not address:port; write 127.0.0.1:8000, [::1]:8000 or 8000, "
			"with \" ssl\" behind it for TLS, \" ipv6only=off\" behind [::]:8000 for "
			"IPv4 clients, too",
			(int)(text.n < 80 ? text.n : 80), text.p);
	return -EINVAL;
}

static bool take_flag(struct conf_address *a, struct str word)
{
	if (str_eq(word, STR("ssl"))) {
		a->is_tls = true;
		return true;
	}
	a->is_dual = str_eq(word, STR("ipv6only=off"));
	return a->is_v6 && (a->is_dual || str_eq(word, STR("ipv6only=on")));
}

/* Words behind the address. */
static bool take_flags(struct conf_address *a, struct str rest)
{
	while ((rest = str_trim(rest)).n != 0) {
		ptrdiff_t n = str_find_char(rest, ' ');
		struct str word = n < 0 ? rest : str_head(rest, (size_t)n);

		if (!take_flag(a, word))
			return false;
		rest = str_from(rest, word.n);
	}
	return true;
}

int conf_parse_address(struct str text, struct conf_address *ret, struct why *why)
{
	struct conf_address a = {.port = 0};
	ptrdiff_t end = str_find_char(text, ' ');
	struct str at = end < 0 ? text : str_head(text, (size_t)end), host, port;
	unsigned char raw[16];
	uint64_t number;

	if (!address_split(at, &host, &port) || host.n == 0 || host.n >= sizeof(a.host) ||
			!str_to_u64(port, &number) || number < 1 || number > 65535)
		return address_refuse(text, why);
	memcpy(a.host, host.p, host.n);
	a.is_v6 = at.p[0] == '[';
	a.port = (uint16_t)number;
	if (strlen(a.host) != host.n || inet_pton(a.is_v6 ? AF_INET6 : AF_INET, a.host, raw) != 1 ||
			!take_flags(&a, str_from(text, at.n)))
		return address_refuse(text, why);
	*ret = a;
	return 0;
}

bool conf_has_tls(const struct conf *c)
{
	const char *at = c->proxy_listen;
	struct conf_address a;
	struct str one;

	while (conf_list_next(&at, &one))
		if (conf_parse_address(one, &a, NULL) == 0 && a.is_tls)
			return true;
	return false;
}

static uint64_t count_cpus(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint64_t)CPU_COUNT(&cpus) : 1;
}

static uint32_t within_bounds(uint64_t n)
{
	return n < 1 ? 1 : n > CONF_WORKERS_MAX ? CONF_WORKERS_MAX : (uint32_t)n;
}

uint32_t conf_workers(const struct conf *c)
{
	uint64_t n;

	return within_bounds(str_to_u64(str_of(c->workers), &n) ? n : count_cpus());
}

uint32_t conf_workers_max(const struct conf *c)
{
	uint64_t n;
	uint32_t max = within_bounds(str_to_u64(str_of(c->workers_max), &n) ? n : 2 * count_cpus());

	return max > conf_workers(c) ? max : conf_workers(c);
}

char *conf_path(const struct conf *c, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", c->prefix, name) < 0 ? NULL : path;
}
