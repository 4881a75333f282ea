/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/pattern.h"
#include "plugin/safe.h"
#include "plugin/vm_impl.h"

/* For a whole gsub in C; the kill flag ends it earlier. */
#define GSUB_STEPS_MIN 2000000U
#define GSUB_STEPS_PER_BYTE 50U

static struct str check_str(lua_State *L, int index)
{
	struct str s;

	s.p = luaL_checklstring(L, index, &s.n);
	return s;
}

static void begin(lua_State *L, struct pattern *p, struct str s, struct str text, uint64_t steps)
{
	pattern_begin(p, s, text, steps);
	p->stop = &vm_of(L)->killed;
}

static bool found(lua_State *L, const struct pattern *p, enum pattern_result r)
{
	if (r != PATTERN_MATCH && r != PATTERN_NO_MATCH)
		(void)luaL_error(L, "%s", p->error);
	return r == PATTERN_MATCH;
}

static void push_capture(lua_State *L, const struct pattern *p, unsigned i)
{
	struct pattern_capture c;

	if (!pattern_get_capture(p, i, &c))
		(void)luaL_error(L, "invalid capture index");
	if (c.is_position)
		lua_pushinteger(L, (lua_Integer)c.start + 1);
	else
		lua_pushlstring(L, p->subject.p + c.start, c.n);
}

/* The captures, or the whole match when there are none and it is wanted. */
static int push_captures(lua_State *L, const struct pattern *p, bool wants_whole)
{
	unsigned n = p->n_captures == 0 && wants_whole ? 1 : p->n_captures;

	luaL_checkstack(L, (int)n, "too many captures");
	for (unsigned i = 0; i < n; i++)
		push_capture(L, p, i);
	return (int)n;
}

/* The init argument (1-based, negative from the end) as an offset within s. */
static size_t start_of(lua_State *L, int index, struct str s)
{
	lua_Integer init = luaL_optinteger(L, index, 1);

	if (init < 0)
		init += (lua_Integer)s.n;
	else
		init--;
	if (init < 0)
		init = 0;
	return (size_t)init > s.n ? s.n : (size_t)init;
}

static int find_plain(lua_State *L, struct str s, struct str needle, size_t from)
{
	ptrdiff_t at = str_find(str_from(s, from), needle);

	if (at < 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, (lua_Integer)from + at + 1);
	lua_pushinteger(L, (lua_Integer)from + at + (lua_Integer)needle.n);
	return 2;
}

int safe_string_find(lua_State *L)
{
	struct str s = check_str(L, 1), text = check_str(L, 2);
	size_t from = start_of(L, 3, s);
	struct pattern p;

	if (lua_toboolean(L, 4) || pattern_is_plain(text))
		return find_plain(L, s, text, from);
	begin(L, &p, s, text, 0);
	if (!found(L, &p, pattern_search(&p, from))) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, (lua_Integer)p.start + 1);
	lua_pushinteger(L, (lua_Integer)p.end);
	return 2 + push_captures(L, &p, false);
}

int safe_string_match(lua_State *L)
{
	struct str s = check_str(L, 1), text = check_str(L, 2);
	size_t from = start_of(L, 3, s);
	struct pattern p;

	begin(L, &p, s, text, 0);
	if (!found(L, &p, pattern_search(&p, from))) {
		lua_pushnil(L);
		return 1;
	}
	return push_captures(L, &p, true);
}

/* Upvalues: subject, pattern, offset. */
static int gmatch_next(lua_State *L)
{
	struct str s = check_str(L, lua_upvalueindex(1)), text = check_str(L, lua_upvalueindex(2));
	size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	struct pattern p;

	if (from > s.n)
		return 0;
	begin(L, &p, s, text, 0);
	/* '^' is no anchor here (reference manual 5.4, string.gmatch). */
	p.text = text;
	p.is_anchored = false;
	if (!found(L, &p, pattern_search(&p, from))) {
		lua_pushinteger(L, (lua_Integer)s.n + 1);
		lua_replace(L, lua_upvalueindex(3));
		return 0;
	}
	lua_pushinteger(L, (lua_Integer)(p.end > p.start ? p.end : p.end + 1));
	lua_replace(L, lua_upvalueindex(3));
	return push_captures(L, &p, true);
}

int safe_string_gmatch(lua_State *L)
{
	(void)check_str(L, 1);
	(void)check_str(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* match_from(s, pattern, offset): start, end (0-based, behind), captures or the match; or nil. */
int safe_match_from(lua_State *L)
{
	struct str s = check_str(L, 1), text = check_str(L, 2);
	lua_Integer from = luaL_checkinteger(L, 3);
	struct pattern p;

	if (from < 0 || (size_t)from > s.n)
		return 0;
	begin(L, &p, s, text, 0);
	if (!found(L, &p, pattern_search(&p, (size_t)from)))
		return 0;
	lua_pushinteger(L, (lua_Integer)p.start);
	lua_pushinteger(L, (lua_Integer)p.end);
	return 2 + push_captures(L, &p, true);
}

int safe_is_anchored(lua_State *L)
{
	struct str text = check_str(L, 1);

	lua_pushboolean(L, text.n > 0 && text.p[0] == '^');
	return 1;
}

struct output {
	lua_State *L;
	char *p;
	size_t n;
};

static void add(struct output *out, const char *p, size_t n)
{
	if (n > VM_RESULT_MAX - out->n)
		(void)luaL_error(out->L, "resulting string too large");
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

static void add_capture(struct output *out, const struct pattern *p, unsigned i)
{
	struct pattern_capture c;
	size_t n;
	const char *text;

	if (!pattern_get_capture(p, i, &c))
		(void)luaL_error(out->L, "invalid capture index");
	if (!c.is_position) {
		add(out, p->subject.p + c.start, c.n);
		return;
	}
	lua_pushinteger(out->L, (lua_Integer)c.start + 1);
	text = lua_tolstring(out->L, -1, &n);
	add(out, text, n);
	lua_pop(out->L, 1);
}

/* %0 … %9 are captures, % before anything else is that. */
static void add_replacement(struct output *out, const struct pattern *p, struct str repl)
{
	ptrdiff_t escape = str_find_char(repl, '%');

	for (; escape >= 0; escape = str_find_char(repl, '%')) {
		char c = (size_t)escape + 1 < repl.n ? repl.p[escape + 1] : '\0';

		add(out, repl.p, (size_t)escape);
		repl = str_from(repl, (size_t)escape + 2);
		if (c == '0')
			add(out, p->subject.p + p->start, p->end - p->start);
		else if (c >= '1' && c <= '9')
			add_capture(out, p, (unsigned)(c - '1'));
		else
			add(out, &c, 1);
	}
	add(out, repl.p, repl.n);
}

/* gsub_text(s, pattern, replacement string, max): string.gsub without callbacks. */
int safe_gsub_text(lua_State *L)
{
	struct str s = check_str(L, 1), text = check_str(L, 2), repl = check_str(L, 3);
	lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)s.n + 1), count = 0;
	struct output out = {L, vm_scratch(), 0};
	size_t pos = 0;
	struct pattern p;

	begin(L, &p, s, text, GSUB_STEPS_MIN + (uint64_t)s.n * GSUB_STEPS_PER_BYTE);
	while (count < max && found(L, &p, pattern_search(&p, pos))) {
		count++;
		add(&out, s.p + pos, p.start - pos);
		add_replacement(&out, &p, repl);
		pos = p.end;
		if (p.end == p.start) {
			if (pos >= s.n)
				break;
			add(&out, s.p + pos, 1);
			pos++;
		}
		if (p.is_anchored)
			break;
	}
	if (count == 0) {
		lua_pushvalue(L, 1);
	} else {
		add(&out, s.p + pos, s.n - pos);
		lua_pushlstring(L, out.p, out.n);
	}
	lua_pushinteger(L, count);
	return 2;
}
