/* SPDX-License-Identifier: Apache-2.0
 * What resty.dns.resolver is given of DNS: questions as bytes, answers as tables. */
#include "plugin/dns_message.h"
#include "plugin/engine.h"
#include "plugin/module_part.h"

#include <arpa/inet.h>
#include <stdio.h>

/* dns_question(id, name, type, is recursive): bytes; nil and why. */
static int dns_question(lua_State *L)
{
	struct str name = ngx_check_text(L, 2, false);
	unsigned char out[DNS_QUESTION_MAX];
	struct why why = WHY_NONE;
	int n = dns_question_write(out, (uint16_t)luaL_checkinteger(L, 1), name,
			(uint16_t)luaL_checkinteger(L, 3), lua_toboolean(L, 4), &why);

	if (n < 0)
		return pdk_fail(L, "%s", why.text);
	lua_pushlstring(L, (const char *)out, (size_t)n);
	return 1;
}

static void set_number(lua_State *L, const char *key, double v)
{
	lua_pushnumber(L, v);
	lua_setfield(L, -2, key);
}

static void set_name(lua_State *L, const char *key, const struct dns_name_text *name)
{
	lua_pushlstring(L, name->text, name->n);
	lua_setfield(L, -2, key);
}

static void set_address(lua_State *L, struct str data)
{
	char text[INET6_ADDRSTRLEN];
	int n = 0;

	if (data.n == sizeof(struct in_addr))
		inet_ntop(AF_INET, data.p, text, sizeof(text));
	/* all eight groups: what is compressed is compress_ipv6_addr()'s to say */
	for (size_t i = 0; data.n != sizeof(struct in_addr) && i < data.n; i += 2)
		n += snprintf(text + n, sizeof(text) - (size_t)n, i == 0 ? "%x" : ":%x",
				dns_u16(data, i));
	lua_pushstring(L, text);
	lua_setfield(L, -2, "address");
}

/* One string, or a list of them. */
static void set_strings(lua_State *L, const char *key, struct str data)
{
	size_t at = 0;
	int n = 0;

	lua_createtable(L, 1, 0);
	while (at < data.n) {
		size_t bytes = (unsigned char)data.p[at];

		lua_pushlstring(L, data.p + at + 1, bytes);
		lua_rawseti(L, -2, ++n);
		at += 1 + bytes;
	}
	if (n == 1) {
		lua_rawgeti(L, -1, 1);
		lua_remove(L, -2);
	}
	lua_setfield(L, -2, key);
}

/* Data of numbers, then names, then numbers of 32 bits. */
static const struct layout {
	uint16_t type;
	const char *first[4], *names[3], *last[6];
} layouts[] = {
		{DNS_TYPE_NS, {0}, {"nsdname"}, {0}},
		{DNS_TYPE_CNAME, {0}, {"cname"}, {0}},
		{DNS_TYPE_PTR, {0}, {"ptrdname"}, {0}},
		{DNS_TYPE_MX, {"preference"}, {"exchange"}, {0}},
		{DNS_TYPE_SRV, {"priority", "weight", "port"}, {"target"}, {0}},
		{DNS_TYPE_SOA, {0}, {"mname", "rname"},
				{"serial", "refresh", "retry", "expire", "minimum"}},
};

static void set_layout(lua_State *L, const struct dns_reader *reader,
		const struct dns_record *record, const struct layout *l)
{
	struct dns_name_text name;
	size_t at = 0;

	for (int i = 0; l->first[i] != NULL; i++, at += 2)
		set_number(L, l->first[i], dns_u16(record->data, at));
	for (int i = 0; l->names[i] != NULL; i++)
		if (dns_record_name(reader, record, at, &name, &at) == 0)
			set_name(L, l->names[i], &name);
	for (int i = 0; l->last[i] != NULL; i++, at += 4)
		set_number(L, l->last[i], dns_u32(record->data, at));
}

static void set_data(lua_State *L, const struct dns_reader *reader, const struct dns_record *record)
{
	for (size_t i = 0; i < PDK_COUNT(layouts); i++)
		if (layouts[i].type == record->type) {
			set_layout(L, reader, record, &layouts[i]);
			return;
		}
	if (record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA) {
		set_address(L, record->data);
	} else if (record->type == DNS_TYPE_TXT || record->type == DNS_TYPE_SPF) {
		set_strings(L, record->type == DNS_TYPE_TXT ? "txt" : "spf", record->data);
	} else {
		lua_pushlstring(L, record->data.p, record->data.n);
		lua_setfield(L, -2, "rdata");
	}
}

static void push_record(
		lua_State *L, const struct dns_reader *reader, const struct dns_record *record)
{
	lua_createtable(L, 0, 6);
	set_name(L, "name", &record->name);
	set_number(L, "type", record->type);
	set_number(L, "class", record->class);
	set_number(L, "ttl", record->ttl);
	set_number(L, "section", record->section);
	set_data(L, reader, record);
}

static int push_answers(
		lua_State *L, struct dns_reader *reader, bool has_authority, bool has_additional)
{
	struct dns_record record;
	struct why why = WHY_NONE;
	int r, n = 0;

	if (!has_additional)
		reader->left[DNS_ADDITIONAL] = 0;
	if (!has_additional && !has_authority)
		reader->left[DNS_AUTHORITY] = 0;
	lua_newtable(L);
	if (reader->code != 0) {
		set_number(L, "errcode", reader->code);
		lua_pushstring(L, dns_code_text(reader->code));
		lua_setfield(L, -2, "errstr");
	}
	while ((r = dns_record_next(reader, &record, &why)) == 1) {
		if (record.section == DNS_AUTHORITY && !has_authority)
			continue;
		push_record(L, reader, &record);
		lua_rawseti(L, -2, ++n);
	}
	return r == 0 ? 1 : pdk_fail(L, "%s", why.text);
}

/* dns_answers(message, question, with authority, with additional): a list of records, with errcode
 * and errstr; nil and why, which is "foreign" where the message answers something else. */
static int dns_answers(lua_State *L)
{
	struct str message = ngx_check_text(L, 1, false), question = ngx_check_text(L, 2, false);
	struct dns_reader reader;
	struct why why = WHY_NONE;

	luaL_argcheck(L, question.n > DNS_HEADER_BYTES + 4, 2, "not a question");
	switch (dns_reader_start(&reader, message, question, &why)) {
	case DNS_OK:
		return push_answers(L, &reader, lua_toboolean(L, 3), lua_toboolean(L, 4));
	case DNS_FOREIGN:
		return pdk_fail(L, "foreign");
	case DNS_TRUNCATED:
		return pdk_fail(L, "truncated");
	case DNS_BAD:
		break;
	}
	return pdk_fail(L, "%s", why.text);
}

/* dns_servers(): addresses and ports of the node's own name servers, in one text. */
static int dns_servers(lua_State *L)
{
	struct str all = pdk_host(L)->conf->name_servers;

	lua_pushlstring(L, all.p != NULL ? all.p : "", all.n);
	return 1;
}

const luaL_Reg module_dns_functions[] = {
		{"dns_question", dns_question},
		{"dns_answers", dns_answers},
		{"dns_servers", dns_servers},
		{NULL, NULL},
};
