/* SPDX-License-Identifier: Apache-2.0
 *
 * What a condition can ask about an exchange.
 */
#include "plugin/condition_value.h"

#include "plugin/exchange.h"

typedef int read_fn(struct cel_eval *e, struct str part, struct cel_value *ret);

struct condition_field {
	const char *name; /* "*": any one name, given to the reader */
	cel_kinds kinds;
	bool is_lower;
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

static CEL_READ(read_method)
{
	return set_text(ret, e->x->request.method);
}

static CEL_READ(read_host)
{
	return set_text(ret, e->x->request.host);
}

static CEL_READ(read_path)
{
	return set_text(ret, e->x->request.path);
}

static CEL_READ(read_protocol)
{
	return set_text(ret, e->x->request.scheme);
}

static CEL_READ(read_sni)
{
	return set_optional(ret, e->x->request.tls_sni);
}

static const struct endpoint *source(const struct exchange *x)
{
	return x->request.real_client.ip.n > 0 ? &x->request.real_client : &x->request.client;
}

static CEL_READ(read_src_ip)
{
	return set_text(ret, source(e->x)->ip);
}

static CEL_READ(read_src_port)
{
	return set_int(ret, source(e->x)->port);
}

static CEL_READ(read_dst_ip)
{
	return set_text(ret, e->x->request.server.ip);
}

static CEL_READ(read_dst_port)
{
	return set_int(ret, e->x->request.server.port);
}

static CEL_READ(read_route_id)
{
	return set_optional(ret, e->x->route.id);
}

static CEL_READ(read_route_name)
{
	return set_optional(ret, e->x->route.name);
}

static CEL_READ(read_service_id)
{
	return set_optional(ret, e->x->service.id);
}

static CEL_READ(read_service_name)
{
	return set_optional(ret, e->x->service.name);
}

static CEL_READ(read_consumer_id)
{
	return set_optional(ret, e->x->consumer.id);
}

static CEL_READ(read_consumer_username)
{
	return set_optional(ret, e->x->consumer.name);
}

/* There are no principals on this gateway: whoever calls, there is none. */
static CEL_READ(read_principal)
{
	return set_optional(ret, STR_NONE);
}

#define OR_NULL(kind) (KIND(kind) | KIND(NULL))

/* X(name, kinds, open part is lower-case, reader) */
/* clang-format off */
#define CONDITION_FIELD_TABLE(X) \
	X("http.method",                   KIND(STRING),    false, read_method) \
	X("http.host",                     KIND(STRING),    false, read_host) \
	X("http.path",                     KIND(STRING),    false, read_path) \
	X("http.path_segments",            KIND(LIST),      false, cel_read_segments) \
	X("http.headers.*",                OR_NULL(STRING), true,  cel_read_header) \
	X("http.headers_list.*",           OR_NULL(LIST),   true,  cel_read_headers) \
	X("http.queries.*",                OR_NULL(STRING), false, cel_read_query) \
	X("http.queries_list.*",           OR_NULL(LIST),   false, cel_read_queries) \
	X("net.protocol",                  KIND(STRING),    false, read_protocol) \
	X("net.tls.sni",                   OR_NULL(STRING), false, read_sni) \
	X("net.src.ip",                    KIND(STRING),    false, read_src_ip) \
	X("net.src.port",                  KIND(INT),       false, read_src_port) \
	X("net.dst.ip",                    KIND(STRING),    false, read_dst_ip) \
	X("net.dst.port",                  KIND(INT),       false, read_dst_port) \
	X("route.id",                      OR_NULL(STRING), false, read_route_id) \
	X("route.name",                    OR_NULL(STRING), false, read_route_name) \
	X("route.tags",                    OR_NULL(LIST),   false, cel_read_route_tags) \
	X("service.id",                    OR_NULL(STRING), false, read_service_id) \
	X("service.name",                  OR_NULL(STRING), false, read_service_name) \
	X("service.tags",                  OR_NULL(LIST),   false, cel_read_service_tags) \
	X("consumer.id",                   OR_NULL(STRING), false, read_consumer_id) \
	X("consumer.username",             OR_NULL(STRING), false, read_consumer_username) \
	X("consumer.custom_id",            OR_NULL(STRING), false, cel_read_custom_id) \
	X("consumer.tags",                 OR_NULL(LIST),   false, cel_read_consumer_tags) \
	X("consumer_group.names",          OR_NULL(LIST),   false, cel_read_group_names) \
	X("consumer_group.ids",            OR_NULL(LIST),   false, cel_read_group_ids) \
	X("principal.id",                  OR_NULL(STRING), false, read_principal) \
	X("principal.display_name",        OR_NULL(STRING), false, read_principal) \
	X("principal.metadata",            OR_NULL(MAP),    false, read_principal) \
	X("kong.ctx.shared",               KIND(MAP),       false, cel_read_shared) \
	X("plugins.*.is_matched",          OR_NULL(BOOL),   false, cel_read_is_matched) \
	X("plugins.*.priority",            OR_NULL(INT),    false, cel_read_priority) \
	X("plugins.*.access_has_executed", OR_NULL(BOOL),   false, cel_read_has_executed)
/* clang-format on */

static const struct condition_field fields[] = {
#define X(name, kinds, is_lower, read) {name, kinds, is_lower, read},
		CONDITION_FIELD_TABLE(X)
#undef X
};

static enum field_match match(const char *row, const struct str *names, size_t n, struct str *part)
{
	struct str rest = str_of(row);

	for (size_t i = 0; i < n; i++) {
		ptrdiff_t end = str_find_char(rest, '.');
		struct str name = end < 0 ? rest : str_head(rest, (size_t)end);

		if (str_eq(name, STR("*")))
			*part = names[i];
		else if (!str_eq(name, names[i]))
			return FIELD_NONE;
		if (end < 0)
			return i + 1 == n ? FIELD_WHOLE : FIELD_NONE;
		rest = str_from(rest, (size_t)end + 1);
	}
	return FIELD_PREFIX;
}

enum field_match condition_field_find(const struct str *names, size_t n,
		const struct condition_field **ret, struct str *ret_part)
{
	enum field_match found = FIELD_NONE;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct str part = STR_NONE;
		enum field_match here = match(fields[i].name, names, n, &part);

		if (here == FIELD_WHOLE) {
			*ret = &fields[i];
			*ret_part = part;
			return FIELD_WHOLE;
		}
		if (here == FIELD_PREFIX)
			found = FIELD_PREFIX;
	}
	return found;
}

cel_kinds condition_field_kinds(const struct condition_field *field)
{
	return field->kinds;
}

bool condition_field_is_lower(const struct condition_field *field)
{
	return field->is_lower;
}

int condition_field_read(struct cel_eval *e, const struct condition_field *field, struct str part,
		struct cel_value *ret)
{
	return field->read(e, part, ret);
}

const char *condition_field_names(void)
{
#define X(name, kinds, is_lower, read) name ", "
	static const char text[] = CONDITION_FIELD_TABLE(X);
#undef X
	static char names[sizeof(text)];

	if (names[0] == '\0')
		memcpy(names, text, sizeof(text) - 3);
	return names;
}
