/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "plugin/vm_impl.h"

#define BYTECODE_MARK 27 /* ESC, the first byte of every precompiled chunk */

struct source {
	struct str rest;
};

static const char *read_source(lua_State *L, void *ud, size_t *ret_n)
{
	struct source *s = ud;
	struct str all = s->rest;

	(void)L;
	s->rest = STR_NONE;
	*ret_n = all.n;
	return all.n != 0 ? all.p : NULL;
}

/* "file:12: text" → its parts; false when it does not look so. */
static bool split_place(
		struct str message, struct str *ret_file, int *ret_line, struct str *ret_text)
{
	ptrdiff_t colon = str_find_char(message, ':');
	struct str rest = colon > 0 ? str_from(message, (size_t)colon + 1) : STR_NONE;
	ptrdiff_t end = str_find_char(rest, ':');
	uint64_t line;

	if (end <= 0 || !str_to_u64(str_head(rest, (size_t)end), &line) || line > INT32_MAX)
		return false;
	*ret_file = str_head(message, (size_t)colon);
	*ret_line = (int)line;
	*ret_text = str_trim(str_from(rest, (size_t)end + 1));
	return true;
}

static void message_to_why(struct str message, struct why *why)
{
	struct str file, text;
	char name[sizeof(((struct why *)NULL)->file)];
	int line;

	if (!split_place(message, &file, &line, &text)) {
		why_set(why, NULL, 0, "%.*s", STR_ARG(str_head(message, sizeof(why->text))));
		return;
	}
	file = str_head(file, sizeof(name) - 1);
	memcpy(name, file.p, file.n);
	name[file.n] = 0;
	why_set(why, name, line, "%.*s", STR_ARG(str_head(text, sizeof(why->text))));
}

void vm_error_to_why(lua_State *L, struct why *why)
{
	int type = lua_gettop(L) > 0 ? lua_type(L, -1) : LUA_TNIL;
	size_t n;

	if (why == NULL)
		return;
	if (type == LUA_TSTRING) {
		const char *p = lua_tolstring(L, -1, &n);

		message_to_why((struct str){p, n}, why);
	} else if (type == LUA_TNUMBER) {
		why_set(why, NULL, 0, "%.14g", lua_tonumber(L, -1));
	} else {
		why_set(why, NULL, 0, "(error object is a %s value)", lua_typename(L, type));
	}
}

/* Leaves the function at the top of L. */
static int load_into(lua_State *L, struct str code, const char *chunk_name, const char *mode,
		struct why *why)
{
	struct source source = {code};
	char name[128];

	(void)snprintf(name, sizeof(name), "@%s", chunk_name);
	if (lua_loadx(L, read_source, &source, name, mode) == 0)
		return 0;
	vm_error_to_why(L, why);
	lua_pop(L, 1);
	return -EINVAL;
}

static int refuse_bytecode(struct str code, const char *chunk_name, struct why *why)
{
	if (code.n == 0 || code.p[0] != BYTECODE_MARK)
		return 0;
	why_set(why, chunk_name, 1, "precompiled bytecode is not accepted: send Lua source text");
	return -EINVAL;
}

int vm_load(struct vm *vm, struct str code, const char *chunk_name, bool is_trusted_bytecode,
		struct why *why)
{
	int r = is_trusted_bytecode ? 0 : refuse_bytecode(code, chunk_name, why);

	sl_check(vm, VM_MAGIC);
	if (r == 0 && vm->L == NULL) {
		why_set(why, chunk_name, 0, "its VM was discarded");
		r = -EINVAL;
	}
	if (r == 0)
		r = load_into(vm->L, code, chunk_name, is_trusted_bytecode ? "b" : "t", why);
	if (r < 0)
		return r;
	lua_rawgeti(vm->L, LUA_REGISTRYINDEX, vm->env_ref);
	(void)lua_setfenv(vm->L, -2);
	return 0;
}

static int write_dump(lua_State *L, const void *p, size_t n, void *ud)
{
	struct buf *b = ud;

	(void)L;
	buf_add(b, p, n);
	return b->is_failed;
}

int vm_compile(struct str source, const char *chunk_name, char **ret, size_t *ret_n,
		struct why *why)
{
	sl_auto(vm) vm = NULL;
	sl_auto_buf out = {0};
	int r = refuse_bytecode(source, chunk_name, why);

	if (r == 0)
		r = vm_new_bare(&vm, "compile");
	if (r == 0)
		r = load_into(vm->L, source, chunk_name, "t", why);
	if (r < 0)
		return r;
	if (lua_dump(vm->L, write_dump, &out) != 0) {
		why_set(why, chunk_name, 0, "out of memory");
		return -ENOMEM;
	}
	*ret = out.p;
	*ret_n = out.n;
	out = (struct buf){0};
	return 0;
}
