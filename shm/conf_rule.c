/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/conf_rule.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/conf.h"

/* "<prefix>/" and the longest socket name below it must fit sockaddr_un (108 with the NUL). */
#define PREFIX_BYTES_MAX 92

typedef bool rule_fn(const struct conf_rule *rule, struct str value, struct conf_problem *problem);

static bool rule_any(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	(void)rule, (void)value, (void)problem;
	return true;
}

static bool rule_filled(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	(void)rule;
	if (value.n != 0)
		return true;
	conf_problem_set(problem, "must not be empty");
	return false;
}

static bool rule_one_of(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	struct str words = str_of(rule->words);
	ptrdiff_t space;

	do {
		space = str_find_char(words, ' ');
		if (str_ieq(value, space < 0 ? words : str_head(words, (size_t)space)))
			return true;
		words = space < 0 ? STR_NONE : str_from(words, (size_t)space + 1);
	} while (words.n != 0);
	conf_problem_set(problem, "\"%.*s\" is not one of: %s", (int)(value.n < 80 ? value.n : 80),
			value.p, rule->words);
	return false;
}

static bool rule_prefix(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	if (!rule_filled(rule, value, problem))
		return false;
	if (value.n <= PREFIX_BYTES_MAX)
		return true;
	conf_problem_set(problem,
			"is %zu bytes long; sockets below it allow at most %d, choose a shorter "
			"path",
			value.n, PREFIX_BYTES_MAX);
	return false;
}

static bool rule_paths(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	(void)rule;
	if (value.n != 0 && value.p[0] == '/')
		return true;
	conf_problem_set(problem, "\"%.*s\" is not an absolute path",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

static bool rule_listen(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	struct conf_address address;
	struct why why = WHY_NONE;

	if (conf_parse_address(value, &address, &why) == 0) {
		if ((!address.is_tls && !address.is_dual) || rule->kind == RULE_LISTEN_TLS)
			return true;
		why_set(&why, NULL, 0,
				address.is_tls ? "\"%.*s\": only proxy_listen serves TLS; drop "
						 "\"ssl\" and end TLS in front of it"
					       : "\"%.*s\": only proxy_listen has ipv6only; name "
						 "an address of each kind",
				(int)(value.n < 80 ? value.n : 80), value.p);
	}
	conf_problem_set(problem, "%.600s", why.text);
	return false;
}

/* An IPv4 or IPv6 address without brackets; *ret_bits is the longest prefix. */
static bool is_numeric(struct str text, unsigned *ret_bits)
{
	unsigned char raw[16];
	char z[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(z))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	*ret_bits = str_find_char(text, ':') >= 0 ? 128 : 32;
	return inet_pton(*ret_bits == 128 ? AF_INET6 : AF_INET, z, raw) == 1;
}

static bool is_port(struct str text)
{
	uint64_t port;

	return str_to_u64(text, &port) && port >= 1 && port <= 65535;
}

static bool is_host_name(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = ascii_lower(text.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
				    c == '_'))
			return false;
	}
	return text.n != 0 && text.n <= 253;
}

static bool rule_peer(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	struct str host, port = STR_NONE;
	unsigned bits;

	(void)rule;
	for (size_t i = value.n; i > 0; i--) {
		if (value.p[i - 1] != ':')
			continue;
		port = str_from(value, i);
		break;
	}
	host = str_head(value, value.n - port.n - (port.n != 0));
	if (is_port(port)) {
		if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']' &&
				is_numeric((struct str){host.p + 1, host.n - 2}, &bits))
			return true;
		if (is_host_name(host))
			return true;
	}
	conf_problem_set(problem, "\"%.*s\" is not host:port (or [v6]:port)",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

static bool rule_server(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	struct conf_address address;
	unsigned bits;

	(void)rule;
	if (is_numeric(value, &bits))
		return true;
	if (str_find_char(value, ':') >= 0 && conf_parse_address(value, &address, NULL) == 0 &&
			!address.is_tls)
		return true;
	conf_problem_set(problem, "\"%.*s\" is not a numeric address, with or without :port",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

static bool rule_net(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	ptrdiff_t slash = str_find_char(value, '/');
	struct str host = slash < 0 ? value : str_head(value, (size_t)slash);
	uint64_t prefix = 0;
	unsigned bits;

	(void)rule;
	if (is_numeric(host, &bits) &&
			(slash < 0 || (str_to_u64(str_from(value, (size_t)slash + 1), &prefix) &&
						      prefix <= bits)))
		return true;
	conf_problem_set(problem, "\"%.*s\" is not an address or CIDR such as 10.0.0.0/8",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

/* Without its port; the whole where there is none. */
static struct str without_port(struct str value)
{
	ptrdiff_t end = value.n != 0 && value.p[0] == '[' ? str_find_char(value, ']') : -1;
	ptrdiff_t colon = str_find_char(value, ':');

	if (end > 0) {
		struct str rest = str_from(value, (size_t)end + 1);

		if (rest.n == 0 || (rest.p[0] == ':' && is_port(str_from(rest, 1))))
			return (struct str){value.p + 1, (size_t)end - 1};
		return value;
	}
	if (colon > 0 && is_port(str_from(value, (size_t)colon + 1)))
		return str_head(value, (size_t)colon);
	return value;
}

static bool rule_egress(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	struct str where = without_port(value);

	if (str_starts(where, STR("*.")))
		where = str_from(where, 2);
	if (rule_net(rule, where, problem) || is_host_name(where))
		return true;
	conf_problem_set(problem,
			"\"%.*s\" is not any, an address, a CIDR, a host or *.suffix, with or "
			"without :port ([v6]:port)",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

static bool rule_label(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	(void)rule;
	if (str_find_char(value, '=') > 0)
		return true;
	conf_problem_set(problem, "\"%.*s\" is not name=value", (int)(value.n < 80 ? value.n : 80),
			value.p);
	return false;
}

static bool rule_workers(
		const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	uint64_t n;

	(void)rule;
	if (str_eq(value, STR("auto")) ||
			(str_to_u64(value, &n) && n >= 1 && n <= CONF_WORKERS_MAX))
		return true;
	conf_problem_set(problem, "must be auto or a number from 1 to %d", CONF_WORKERS_MAX);
	return false;
}

static bool rule_share(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	size_t n_dots = 0, n_digits = 0;
	bool is_one = value.n != 0 && value.p[0] == '1', is_good = value.n != 0 && value.n <= 20;

	(void)rule;
	for (size_t i = 0; i < value.n; i++) {
		n_dots += value.p[i] == '.';
		n_digits += value.p[i] >= '0' && value.p[i] <= '9';
		is_good &= i != 0 || value.p[i] == '0' || is_one;
		is_good &= i != 1 || value.p[i] == '.';
		is_good &= i < 2 || !is_one || value.p[i] == '0';
	}
	if (is_good && n_dots <= 1 && n_dots + n_digits == value.n)
		return true;
	conf_problem_set(problem, "must be a number from 0 to 1, such as 0.01");
	return false;
}

static bool rule_url(const struct conf_rule *rule, struct str value, struct conf_problem *problem)
{
	size_t scheme = str_starts(value, STR("https://")) ? 8 : 7, n = 0;
	struct str host = str_from(value, scheme);
	bool is_good = scheme == 8 || str_starts(value, STR("http://"));
	char with_port[300];
	unsigned bits;

	if (value.n == 0)
		return true;
	while (n < host.n && host.p[n] != '/')
		n++;
	for (size_t i = n; i < host.n; i++)
		is_good &= host.p[i] > ' ' && host.p[i] < 0x7f && host.p[i] != '?' &&
			   host.p[i] != '#';
	host = str_head(host, n);
	/* without a port, as if it had one */
	if (host.n > 0 && host.n < 270 && is_good &&
			(is_host_name(host) ||
					(host.p[0] == '[' && host.p[host.n - 1] == ']' &&
							is_numeric((struct str){host.p + 1,
										   host.n - 2},
									&bits)))) {
		snprintf(with_port, sizeof(with_port), "%.*s:80", STR_ARG(host));
		host = str_of(with_port);
	}
	if (is_good && rule_peer(rule, host, problem))
		return true;
	conf_problem_set(problem,
			"\"%.*s\" is not a URL such as http://collector:4318 or https://host/path",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return false;
}

static rule_fn *const checks[RULE_KINDS] = {
		[RULE_ANY] = rule_any,
		[RULE_FILLED] = rule_filled,
		[RULE_ONE_OF] = rule_one_of,
		[RULE_RANGE] = rule_any,
		[RULE_PATH] = rule_any,
		[RULE_PATHS] = rule_paths,
		[RULE_PREFIX] = rule_prefix,
		[RULE_LISTEN] = rule_listen,
		[RULE_LISTEN_TLS] = rule_listen,
		[RULE_PEERS] = rule_peer,
		[RULE_SERVERS] = rule_server,
		[RULE_NETS] = rule_net,
		[RULE_EGRESS] = rule_egress,
		[RULE_LABELS] = rule_label,
		[RULE_WORKERS] = rule_workers,
		[RULE_SHARE] = rule_share,
		[RULE_URL] = rule_url,
};

bool conf_rule_check(const struct conf_rule *rule, struct str value, bool is_list,
		struct conf_problem *problem)
{
	const char *at = value.p;
	struct str member;

	if (!is_list)
		return checks[rule->kind](rule, value, problem);
	while (conf_list_next(&at, &member))
		if (!checks[rule->kind](rule, member, problem))
			return false;
	return true;
}

bool conf_rule_check_number(const struct conf_rule *rule, uint64_t v, struct conf_problem *problem)
{
	if (rule->kind != RULE_RANGE || (v >= rule->min && v <= rule->max))
		return true;
	conf_problem_set(problem, "%" PRIu64 " is out of range: %" PRIu64 " to %" PRIu64, v,
			rule->min, rule->max);
	return false;
}
