/* SPDX-License-Identifier: Apache-2.0
 * lyaml: each row is a program and the text it must return, or a part of the error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"

#define Y "local y = require 'lyaml' local json = require 'cjson'.encode "

static void scalars_are_read_by_their_form_or_tag(void **state)
{
	MODULE_RUN({Y "return json(y.load('[~, null, true, No, 12, -3, 0x1F, 0b101, 017, 1_000, "
		      "1.5, "
		      "1e3, 1:30, word, \"12\", \\'no\\']'))",
				   "[null,null,true,false,12,-3,31,5,15,1000,1.5,1000,90,\"word\","
				   "\"12\",\"no\"]"},
			{Y "local t = y.load('[.inf, -.INF, .nan]') return tostring(t[1]) .. "
			   "tostring(t[2]) .. tostring(t[3] ~= t[3])",
					"inf-inftrue"},
			{Y "return json(y.load('[!!str 12, !!int \"7\", !!float \"2\", !!bool "
			   "\"yes\", !!null \"\", ! true]'))",
					"[\"12\",7,2,true,null,\"true\"]"},
			{Y "local t = y.load('a: ~') return tostring(t.a == y.null) .. "
			   "tostring(y.isnull(t.a)) .. tostring(y.isnull(nil)) .. tostring(t.a == "
			   "ngx.null)",
					"truetruefalsetrue"},
			{Y "return y.load('- |\\n  two\\n  lines\\n')[1]", "two\nlines\n"},
			{Y "return json(y.load('')) .. #y.load('', true)", "null0"});
}

static void tables_documents_and_aliases_are_read(void **state)
{
	MODULE_RUN({Y "local t = y.load('a: {b: [1, 2]}\\n5: five\\ntrue: yes\\n') return t.a.b[2] "
		      ".. "
		      "t[5] .. tostring(t[true])",
				   "2fivetrue"},
			{Y "local t = y.load('--- 1\\n--- [2]\\n...\\n', { all = true }) return #t "
			   ".. t[1] .. t[2][1] .. y.load('--- 1\\n--- [2]\\n')",
					"2121"},
			{Y "local t = y.load('base: &b {x: 1, y: 2}\\nuse: {<<: *b, y: 3}\\nlist: "
			   "[*b, *b]') return t.use.x .. t.use.y .. t.list[2].x",
					"131"},
			{Y "local t = y.load('a: &a {x: 1}\\nb: &b {x: 2, y: 2}\\nc: {<<: [*a, "
			   "*b]}') return t.c.x .. t.c.y",
					"12"},
			{Y "return json(y.load('a: []\\n'))", "{\"a\":[]}"},
			{Y "local t = y.load('a: 1\\na: 2') return t.a", "2"});
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	MODULE_RUN({Y "return select(2, pcall(y.load, 'a: [1, 2'))",
				   "line 2, column 1: did not find expected ',' or ']'"},
			{Y "return y.load('a:\\n  - *b')",
					"line 2, column 5: no anchor before it has the name b"},
			{Y "return y.load('a: &a [*a]')", "no anchor before it has the name a"},
			{Y "return y.load('- !lua/function os')",
					"line 1, column 3: not a tag of plain data: !lua/function"},
			{Y "return y.load('!!python/object {}')",
					"not a tag of plain data: tag:yaml.org,2002:python/object"},
			{Y "return y.load('!!int twelve')",
					"not of the type that its tag says: twelve"},
			{Y "return y.load('? [a]\\n: b')",
					"a key must be text, a number or a boolean"},
			{Y "return y.load('.nan: 1')", "a key must be text"},
			{Y "return y.load('{<<: 5}')", "only maps are merged"},
			{Y "return y.load('a: \\255')", "invalid leading UTF-8 octet"},
			{Y "return y.load(5)", "string expected, got number"},
			{Y "return y.load('a', { implicit_scalar = print })",
					"load: the option implicit_scalar is not available"},
			{Y "return tostring((pcall(y.load, 'a: [')))", "false"});
}

static void bombs_are_refused(void **state)
{
	MODULE_RUN({Y "local s = 'a: &a [x,x,x,x,x,x,x,x,x,x]\\n' for i = 98, 107 do local n, p = "
		      "string.char(i), string.char(i - 1) s = s .. n .. ': &' .. n .. ' [' .. ('*' "
		      ".. p .. ','):rep(9) .. '*' .. p .. ']\\n' end return y.load(s)",
				   "too large once its aliases are expanded"},
			{Y "local s = 'a: &a {x: 1}\\n' for i = 98, 118 do local n, p = "
			   "string.char(i), string.char(i - 1) s = s .. n .. ': &' .. n .. ' {k: "
			   "*' "
			   ".. p .. ', l: *' .. p .. '}\\n' end return y.load(s)",
					"too large once its aliases are expanded"},
			{Y "return y.load(('['):rep(5000))", "nested too deep"},
			{Y "return y.load(('- '):rep(5000))", "nested too deep"},
			{Y "local s = 'a: &a [1]\\n' for i = 98, 122 do s = s .. string.char(i) .. "
			   "': "
			   "&' .. string.char(i) .. ' [[[[[[*' .. string.char(i - 1) .. "
			   "']]]]]]\\n' end "
			   "return y.load(s)",
					"nested too deep"},
			{Y "local t = {} for i = 1, 300 do t[i] = '- &a' .. i .. ' x' end return "
			   "y.load(table.concat(t, '\\n'))",
					"too many anchors"},
			{Y "return y.load('- x\\n' .. ('- x\\n'):rep(70000))",
					"too large once its aliases are expanded"},
			{Y "return y.load(('x'):rep(1048577))", "too much data: at most 1 MB"},
			{Y "return #y.load('\"' .. ('x'):rep(1000000) .. '\"')", "1000000"},
			{Y "local s = ('{<<: '):rep(140) return y.load(s)", "nested too deep"});
}

static void what_is_written_is_ordered_and_reads_as_the_same(void **state)
{
	MODULE_RUN({Y "return y.dump{ { b = 1, a = { 'x', 'y' }, [2] = true, [1] = false, C = {} } "
		      "}",
				   "---\n1: false\n2: true\nC: []\na:\n- x\n- y\nb: 1\n...\n"},
			{Y "return y.dump{ 1, 'two' }", "--- 1\n...\n--- two\n...\n"},
			{Y "return y.dump{ { 'no', '12', '', '~', '<<', ' a', 'x: y', '#', "
			   "'a\\nb', "
			   "'0x1', '.inf', '1:30' } }",
					"---\n- 'no'\n- '12'\n- ''\n- '~'\n- '<<'\n- ' a'\n- 'x: "
					"y'\n- "
					"'#'\n- |-\n  a\n  b\n- '0x1'\n- '.inf'\n- '1:30'\n...\n"},
			{Y "return y.dump{ { 1.5, 0.1, 1e15, 2^53, 1/3, 1/0, -1/0, y.null, true } "
			   "}",
					"---\n- 1.5\n- 0.1\n- 1000000000000000\n- "
					"9007199254740992\n- "
					"0.33333333333333331\n- .inf\n- -.inf\n- ~\n- true\n...\n"},
			{Y "local t = { s = '\\0\\1\\t', u = '\\195\\188', n = '\\n\\n x \\n', "
			   "e = '', l = { { {} } } } local b = y.load(y.dump{ t }) return "
			   "tostring(b.s == t.s and b.u == t.u and b.n == t.n and b.e == '' and "
			   "#b.l[1] == 1)",
					"true"},
			{Y "return y.dump{ '\\255' }", "a text is not UTF-8"},
			{Y "local t = {} t[1] = t return y.dump(t)",
					"cannot write a table that contains itself"},
			{Y "return y.dump{ print }", "cannot write a function"},
			{Y "return y.dump{ a = 1 }", "a list of documents expected"},
			{Y "return y.dump('x')", "table expected, got string"},
			{Y "return y.dump{ ('x'):rep(1048576) }", "too much data"},
			{Y "return y.dump({ 1 }, { anchors = {} })",
					"dump: the option anchors is not available"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(scalars_are_read_by_their_form_or_tag),
			cmocka_unit_test(tables_documents_and_aliases_are_read),
			cmocka_unit_test(what_is_wrong_is_said_with_its_place),
			cmocka_unit_test(bombs_are_refused),
			cmocka_unit_test(what_is_written_is_ordered_and_reads_as_the_same),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
