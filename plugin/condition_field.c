/* SPDX-License-Identifier: Apache-2.0
 *
 * What a condition can ask about an exchange.
 */
#include "plugin/condition_part.h"

#include <errno.h>

#include "base/arena.h"
#include "plugin/exchange.h"
#include "plugin/path.h"

/* An absent value has text.p == NULL. */
typedef int read_fn(const struct exchange *x, struct str member, struct cel_value *ret);

struct condition_field {
	const char *name; /* ends with '.': a prefix, the member follows */
	enum cel_kind kind;
	read_fn *read;
};

static int set_text(struct cel_value *ret, struct str text)
{
	*ret = (struct cel_value){.kind = CEL_STRING, .text = text};
	return 0;
}

/* For values whose emptiness means that there is none. */
static int set_optional(struct cel_value *ret, struct str text)
{
	if (text.n > 0)
		return set_text(ret, text);
	*ret = (struct cel_value){.kind = CEL_NULL};
	return 0;
}

static int set_int(struct cel_value *ret, int64_t number)
{
	*ret = (struct cel_value){.kind = CEL_INT, .number = number};
	return 0;
}

#define READ(name) \
	static int name(const struct exchange *x __attribute__((unused)), \
			struct str member __attribute__((unused)), struct cel_value *ret)

READ(read_method)
{
	return set_text(ret, x->request.method);
}

READ(read_host)
{
	return set_text(ret, x->request.host);
}

READ(read_path)
{
	return set_text(ret, x->request.path);
}

READ(read_protocol)
{
	return set_text(ret, x->request.scheme);
}

READ(read_sni)
{
	return set_optional(ret, x->request.tls_sni);
}

static const struct endpoint *source(const struct exchange *x)
{
	return x->request.real_client.ip.n > 0 ? &x->request.real_client : &x->request.client;
}

READ(read_src_ip)
{
	return set_text(ret, source(x)->ip);
}

READ(read_src_port)
{
	return set_int(ret, source(x)->port);
}

READ(read_dst_ip)
{
	return set_text(ret, x->request.server.ip);
}

READ(read_dst_port)
{
	return set_int(ret, x->request.server.port);
}

READ(read_route_id)
{
	return set_optional(ret, x->route.id);
}

READ(read_route_name)
{
	return set_optional(ret, x->route.name);
}

READ(read_service_id)
{
	return set_optional(ret, x->service.id);
}

READ(read_service_name)
{
	return set_optional(ret, x->service.name);
}

READ(read_consumer_id)
{
	return set_optional(ret, x->consumer.id);
}

READ(read_consumer_username)
{
	return set_optional(ret, x->consumer.name);
}

READ(read_header)
{
	const struct header *header = headers_find_loose(&x->request.headers, member);

	if (header != NULL)
		return set_text(ret, header->value);
	*ret = (struct cel_value){.kind = CEL_NULL};
	return 0;
}

/* The byte at *at of a query component, decoded; *at moves behind it. */
static char next_decoded(struct str s, size_t *at)
{
	char c = s.p[*at];
	int byte = c == '%' ? percent_byte(s, *at) : -1;

	*at += byte >= 0 ? 3 : 1;
	if (byte >= 0)
		return (char)byte;
	return c == '+' ? ' ' : c;
}

static bool decodes_to(struct str encoded, struct str name)
{
	size_t at = 0;

	for (size_t i = 0; i < name.n; i++) {
		if (at >= encoded.n || next_decoded(encoded, &at) != name.p[i])
			return false;
	}
	return at == encoded.n;
}

static int set_decoded(struct cel_value *ret, const struct exchange *x, struct str encoded)
{
	char *text;
	size_t at = 0;
	size_t n = 0;

	if (str_find_char(encoded, '%') < 0 && str_find_char(encoded, '+') < 0)
		return set_text(ret, encoded);
	text = arena_alloc(x->arena, encoded.n);
	if (text == NULL)
		return -ENOMEM;
	while (at < encoded.n)
		text[n++] = next_decoded(encoded, &at);
	return set_text(ret, (struct str){text, n});
}

READ(read_query)
{
	struct str rest = x->request.raw_query;

	while (rest.n > 0) {
		ptrdiff_t end = str_find_char(rest, '&');
		struct str pair = end < 0 ? rest : str_head(rest, (size_t)end);
		ptrdiff_t eq = str_find_char(pair, '=');
		struct str name = eq < 0 ? pair : str_head(pair, (size_t)eq);

		if (pair.n > 0 && decodes_to(name, member))
			return set_decoded(ret, x,
					eq < 0 ? str_from(pair, pair.n)
					       : str_from(pair, (size_t)eq + 1));
		rest = end < 0 ? STR_NONE : str_from(rest, (size_t)end + 1);
	}
	*ret = (struct cel_value){.kind = CEL_NULL};
	return 0;
}

/* X(name, type, reader) */
/* clang-format off */
#define CONDITION_FIELD_TABLE(X) \
	X("http.method",       STRING, read_method) \
	X("http.host",         STRING, read_host) \
	X("http.path",         STRING, read_path) \
	X("http.headers.",     STRING, read_header) \
	X("http.queries.",     STRING, read_query) \
	X("net.protocol",      STRING, read_protocol) \
	X("net.tls.sni",       STRING, read_sni) \
	X("net.src.ip",        STRING, read_src_ip) \
	X("net.src.port",      INT,    read_src_port) \
	X("net.dst.ip",        STRING, read_dst_ip) \
	X("net.dst.port",      INT,    read_dst_port) \
	X("route.id",          STRING, read_route_id) \
	X("route.name",        STRING, read_route_name) \
	X("service.id",        STRING, read_service_id) \
	X("service.name",      STRING, read_service_name) \
	X("consumer.id",       STRING, read_consumer_id) \
	X("consumer.username", STRING, read_consumer_username)
/* clang-format on */

static const struct condition_field fields[] = {
#define X(name, kind, read) {name, CEL_##kind, read},
		CONDITION_FIELD_TABLE(X)
#undef X
};

/* Of the language, not of this build: told apart from a misspelling. */
static const char *const later_fields[] = {"http.path_segments", "http.headers_list.",
		"http.queries_list.", "route.tags", "service.tags", "consumer.custom_id",
		"consumer.tags", "consumer_group.names", "consumer_group.ids", "principal.",
		"kong.ctx.shared", "plugins."};

/* A row with a final '.' needs a member of one name behind it. */
static bool matches(const char *row, struct str name, struct str *ret_member)
{
	struct str prefix = str_of(row);

	*ret_member = str_from(name, prefix.n);
	if (prefix.p[prefix.n - 1] != '.')
		return str_eq(prefix, name);
	return str_starts(name, prefix) && ret_member->n > 0;
}

int condition_field_find(
		struct str name, const struct condition_field **ret, struct str *ret_member)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!matches(fields[i].name, name, ret_member))
			continue;
		*ret = &fields[i];
		return str_find_char(*ret_member, '.') >= 0 ? 2 : 0;
	}
	for (size_t i = 0; i < sizeof(later_fields) / sizeof(later_fields[0]); i++) {
		if (str_starts(name, str_of(later_fields[i])))
			return 1;
	}
	return 2;
}

enum cel_kind condition_field_kind(const struct condition_field *field)
{
	return field->kind;
}

int condition_field_read(const struct condition_field *field, struct str member,
		const struct exchange *x, struct cel_value *ret)
{
	return field->read(x, member, ret);
}

const char *condition_field_names(void)
{
#define X(name, kind, read) name ", "
	static const char text[] = CONDITION_FIELD_TABLE(X);
#undef X
	static char names[sizeof(text)];

	if (names[0] == '\0')
		memcpy(names, text, sizeof(text) - 3);
	return names;
}
