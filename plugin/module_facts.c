/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/module_facts.h"

#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include <openssl/crypto.h>

enum fact_kind { FACT_BYTES, FACT_INTEGER, FACT_BOOLEAN, FACT_OPEN, FACT_CLOSE };

static struct fact {
	const char *key;
	enum fact_kind kind;
	size_t at, n; /* of FACT_BYTES */
	int64_t number;
} facts[FACTS_MAX];

static unsigned char bytes[FACTS_BYTES_MAX];
static size_t n_facts, n_bytes;
static bool is_failed;

void facts_begin(void)
{
	n_facts = n_bytes = 0;
	is_failed = false;
}

void facts_fail(void)
{
	is_failed = true;
}

bool facts_is_failed(void)
{
	return is_failed;
}

static struct fact *add(const char *key, enum fact_kind kind)
{
	if (n_facts == FACTS_MAX)
		is_failed = true;
	if (is_failed)
		return NULL;
	facts[n_facts] = (struct fact){.key = key, .kind = kind};
	return &facts[n_facts++];
}

unsigned char *facts_reserve(const char *key, size_t n)
{
	struct fact *f;

	if (n > FACTS_BYTES_MAX - n_bytes)
		is_failed = true;
	f = add(key, FACT_BYTES);
	if (f == NULL)
		return NULL;
	f->at = n_bytes;
	return bytes + n_bytes;
}

void facts_commit(size_t n)
{
	if (is_failed || n_facts == 0)
		return;
	facts[n_facts - 1].n = n;
	n_bytes += n;
}

void facts_bytes(const char *key, const void *p, size_t n)
{
	unsigned char *to = facts_reserve(key, n);

	if (to == NULL)
		return;
	if (n != 0)
		memcpy(to, p, n);
	facts_commit(n);
}

void facts_text(const char *key, const char *text)
{
	if (text != NULL)
		facts_bytes(key, text, strlen(text));
}

void facts_integer(const char *key, int64_t v)
{
	struct fact *f = add(key, FACT_INTEGER);

	if (f != NULL)
		f->number = v;
}

void facts_boolean(const char *key, bool v)
{
	struct fact *f = add(key, FACT_BOOLEAN);

	if (f != NULL)
		f->number = v;
}

void facts_open(const char *key)
{
	(void)add(key, FACT_OPEN);
}

void facts_close(void)
{
	(void)add(NULL, FACT_CLOSE);
}

/* The value at the top goes into the table below it. */
static void put(lua_State *L, const char *key)
{
	if (key != NULL)
		lua_setfield(L, -2, key);
	else
		lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static void push_plain(lua_State *L, const struct fact *f)
{
	if (f->kind == FACT_BYTES)
		lua_pushlstring(L, (const char *)bytes + f->at, f->n);
	else if (f->kind == FACT_INTEGER)
		lua_pushnumber(L, (lua_Number)f->number);
	else
		lua_pushboolean(L, f->number != 0);
}

/* Keys of the tables that are open: nesting is a few levels, given by our own code. */
#define DEPTH_MAX 8

void facts_push(lua_State *L)
{
	const char *keys[DEPTH_MAX];
	int depth = 0;

	if (is_failed) {
		lua_pushnil(L);
		return;
	}
	luaL_checkstack(L, DEPTH_MAX + 4, "facts");
	lua_newtable(L);
	for (size_t i = 0; i < n_facts; i++) {
		const struct fact *f = &facts[i];

		if (f->kind == FACT_OPEN && depth < DEPTH_MAX) {
			keys[depth++] = f->key;
			lua_newtable(L);
		} else if (f->kind == FACT_CLOSE && depth > 0) {
			put(L, keys[--depth]);
		} else if (f->kind < FACT_OPEN) {
			push_plain(L, f);
			put(L, f->key);
		}
	}
	OPENSSL_cleanse(bytes, n_bytes);
}

void facts_push_value(lua_State *L)
{
	if (is_failed || n_facts == 0 || facts[0].kind >= FACT_OPEN) {
		lua_pushnil(L);
		return;
	}
	push_plain(L, &facts[0]);
	OPENSSL_cleanse(bytes, n_bytes);
}
