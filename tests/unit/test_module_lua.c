/* SPDX-License-Identifier: Apache-2.0
 * Modules written in Lua: what plugins get by require(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"

static void pieces_of_strings_are_as_penlight_gives_them(void **state)
{
	MODULE_RUN({"local x = require 'pl.stringx' return table.concat(x.split('a,b,,c', ','), "
		    "'|')",
				   "a|b||c"},
			{"local x = require 'pl.stringx' return table.concat(x.split('  a  b '), "
			 "'|')",
					"a|b"},
			{"local x = require 'pl.stringx' return #x.split('a,', ',') .. "
			 "#x.split(',', ',') .. #x.split('', ',')",
					"220"},
			{"local x = require 'pl.stringx' return table.concat(x.split('a,b,c', ',', "
			 "2), '|')",
					"a|b,c"},
			{"local x = require 'pl.stringx' return '[' .. x.strip('  a b ') .. "
			 "x.lstrip('  c') .. x.rstrip('d  ') .. x.strip('--e-', '-') .. ']'",
					"[a bcde]"},
			{"local x = require 'pl.stringx' return tostring(x.startswith('abc', "
			 "'ab')) .. tostring(x.endswith('abc', { 'x', 'bc' })) .. "
			 "tostring(x.endswith('b', 'ab'))",
					"truetruefalse"},
			{"local x = require 'pl.stringx' return x.replace('a.b.c', '.', '%1', 1) "
			 ".. x.count('aaaa', 'aa') .. x.count('aaaa', 'aa', true)",
					"a%1b.c23"},
			{"local x = require 'pl.stringx' return table.concat({ "
			 "x.partition('k=v=w', '=') }, '|') .. table.concat({ "
			 "x.rpartition('k=v=w', '=') }, '|')",
					"k|=|v=wk=v|=|w"},
			{"local x = require 'pl.stringx' return "
			 "table.concat(x.splitlines('a\\nb\\r\\nc'), '|') .. x.title('an old "
			 "tale') .. x.ljust('a', 3, '.') .. x.rjust('a', 3)",
					"a|b|cAn Old Talea..  a"},
			{"local x = require 'pl.stringx' return tostring(x.isdigit('12')) .. "
			 "tostring(x.isalpha('')) .. x.shorten('abcdefgh', 6) .. x.join('-', { 1, "
			 "2 })",
					"truefalseabc...1-2"},
			{"require 'pl.stringx'.strip(5)",
					"argument 1 expected a 'string' got a 'number'"},
			{"require 'pl.stringx'.split = 1", "Cannot modify pl.stringx.split. "
							   "Protected by the sandbox."});
}

static void tables_are_as_penlight_gives_them(void **state)
{
	MODULE_RUN({"local x = require 'pl.tablex' local k = x.keys({ a = 1, b = 2 }) "
		    "table.sort(k) return table.concat(k) .. x.size({ 1, 2, z = 3 })",
				   "ab3"},
			{"local x = require 'pl.tablex' return tostring(x.deepcompare({ 1, { a = 2 "
			 "} }, { 1, { a = 2 } })) .. tostring(x.deepcompare({ 1 }, { 1, 2 }))",
					"truefalse"},
			{"local x = require 'pl.tablex' local t = { { 1 } } local c = "
			 "x.deepcopy(t) c[1][1] = 2 return t[1][1] .. x.find({ 'a', 'b' }, 'b')",
					"12"},
			{"local x = require 'pl.tablex' local t = {} t.t = t return "
			 "tostring(x.deepcopy(t).t ~= t)",
					"true"},
			{"local x = require 'pl.tablex' return table.concat(x.map(function(v) "
			 "return v * 2 end, { 1, 2 }), ',') .. table.concat(x.filter({ 1, 2, 3 }, "
			 "function(v) return v > 1 end), ',')",
					"2,42,3"},
			{"local x = require 'pl.tablex' return x.reduce(function(a, b) return a + "
			 "b end, { 1, 2, 3 }) .. table.concat(x.sub({ 1, 2, 3, 4 }, 2, -2))",
					"623"},
			{"local x = require 'pl.tablex' local u = x.union({ a = 1 }, { b = 2 }) "
			 "local out = '' for k, v in x.sort(u) do out = out .. k .. v end return "
			 "out",
					"a1b2"},
			{"local x = require 'pl.tablex' x.readonly({}).a = 1",
					"Attempt to modify read-only table"},
			{"require 'pl.tablex'.keys(nil)", "expected a 'table' got a 'nil'"});
}

static void strings_of_kong_tools(void **state)
{
	MODULE_RUN({"local t = require 'kong.tools.string' return '[' .. t.strip('  a ') .. "
		    "t.strip(nil) .. t.strip(12) .. ']'",
				   "[a12]"},
			{"local t = require 'kong.tools.string' return t.bytes_to_str(5497558) .. "
			 "' ' .. t.bytes_to_str(5497558, 'm') .. ' ' .. t.bytes_to_str(5497558, "
			 "'G', 3)",
					"5497558 5.24 MiB 0.005 GiB"},
			{"require 'kong.tools.string'.bytes_to_str(1, 'x')",
					"invalid unit 'x' (expected 'k/K', 'm/M', or 'g/G')"},
			{"require 'kong.tools.string'.bytes_to_str(1, 'k', -1)",
					"scale must be equal or greater than 0"},
			{"local t = require 'kong.tools.string' return "
			 "tostring(t.validate_utf8('h\\195\\169\\240\\159\\152\\128')) .. "
			 "select(2, t.validate_utf8('ab\\195(')) .. select(2, "
			 "t.validate_utf8('\\237\\160\\128'))",
					"true31"},
			{"local t = require 'kong.tools.string' return t.try_decode_base64('aGk=') "
			 ".. t.try_decode_base64('%%') .. t.try_decode_base64({ 'aGk' })[1]",
					"hi%%hi"},
			{"local t = require 'kong.tools.string' return t.replace_dashes('a-B-c') "
			 ".. t.replace_dashes_lower('A-B')",
					"a_B_ca_b"},
			{"local t = require 'kong.tools.string' return "
			 "table.concat((t.splitn('a.b.c', '.', 2)), '|') .. "
			 "table.concat(t.split('x y', ' '), '|')",
					"a|b.cx|y"});
}

static void tables_of_kong_tools(void **state)
{
	MODULE_RUN({"local t = require 'kong.tools.table' return t.table_merge({ a = 1, b = 1 }, { "
		    "b = 2 }).b .. tostring(t.table_contains({ 'x' }, 'x')) .. "
		    "tostring(t.table_contains(nil, 1))",
				   "2truefalse"},
			{"local t = require 'kong.tools.table' return tostring(t.is_array({ 1, 2 "
			 "})) .. tostring(t.is_array({ 1, nil, 3 })) .. tostring(t.is_array({ "
			 "['1'] = 1 }, 'lapis')) .. tostring(t.is_array(1))",
					"truefalsetruefalse"},
			{"local t = require 'kong.tools.table' local p = t.pack(1, nil, 3) return "
			 "p.n .. select('#', t.unpack(p))",
					"33"},
			{"local t = require 'kong.tools.table' local a = { b = { c = 1 } } local d "
			 "= t.deep_copy(a) d.b.c = 2 return a.b.c .. t.deep_merge(a, { b = { x = 5 "
			 "} }).b.x .. t.cycle_aware_deep_merge(a, { b = { c = 7 } }).b.c",
					"157"},
			{"local t = require 'kong.tools.table' local a = { x = 1 } a.me = a local "
			 "c = t.cycle_aware_deep_copy(a) return tostring(c.me == c) .. tostring(c "
			 "~= a)",
					"truetrue"},
			{"local t = require 'kong.tools.table' local e = t.add_error(nil, 'k', "
			 "'one') e = t.add_error(e, 'k', 'two') e = t.add_error(e, 'k', 'three') "
			 "return table.concat(e.k, ',')",
					"one,two,three"},
			{"local t = require 'kong.tools.table' return table.concat(t.concat({ 1, 2 "
			 "}, { 3 }))",
					"123"});
}

static void times_and_dates(void **state)
{
	MODULE_RUN({"local t = require 'kong.tools.time' return t.get_start_time_ms() .. ' ' .. "
		    "tostring(t.time_ns() > 1.6e18) .. tostring(t.get_updated_now_ms() > 1.6e12)",
				   "1500000000123 truetrue"},
			{"local t = require 'kong.tools.time' return "
			 "t.nginx_conf_time_to_seconds('1h30m') .. ' ' .. "
			 "t.nginx_conf_time_to_seconds('90') .. ' ' .. "
			 "t.nginx_conf_time_to_seconds('1d')",
					"5400 90 86400"},
			{"require 'kong.tools.time'.nginx_conf_time_to_seconds('5m1h')",
					"bad argument #1 'str'"},
			{"local s = require 'kong.tools.timestamp'.get_timestamps(1424217600.5) "
			 "return s.second .. ' ' .. s.minute .. ' ' .. s.hour .. ' ' .. s.day .. ' "
			 "' .. s.month .. ' ' .. s.year",
					"1424217600000 1424217600000 1424217600000 1424217600000 "
					"1422748800000 1420070400000"},
			{"local t = require 'kong.tools.timestamp' return "
			 "t.get_timetable(951782400000).month .. '-' .. "
			 "t.get_timetable(951782400).day .. tostring(t.get_timestamps(0, { year = "
			 "true }).day)",
					"2-29nil"});
}

static void names_and_random_bytes(void **state)
{
	MODULE_RUN({"local u = require 'kong.tools.uuid' return "
		    "tostring(u.is_valid_uuid(u.uuid())) .. tostring(u.is_valid_uuid('x')) .. "
		    "tostring(u.uuid() ~= u.uuid())",
				   "truefalsetrue"},
			{"local u = require 'resty.jit-uuid' return "
			 "u.generate_v3('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')",
					"5df41881-3aed-3515-88a7-2f4a814cf09e"},
			{"local u = require 'resty.jit-uuid' return "
			 "u.generate_v5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')",
					"2ed6657d-e927-568b-95e1-2665a8aea6a2"},
			{"local u = require 'resty.jit-uuid' u.seed() return "
			 "tostring(u.is_valid(u())) .. tostring(select(2, u.generate_v5('x', "
			 "'y')))",
					"truenamespace must be a valid UUID"},
			{"local r = require 'kong.tools.rand' return #r.random_string() .. "
			 "tostring(r.random_string():find('%W')) .. #r.get_rand_bytes(7) .. "
			 "#require 'resty.random'.bytes(5, true)",
					"32nil75"},
			{"require 'resty.random'.bytes(2 ^ 30)", "at most 1,048,576 bytes"},
			{"require 'kong.tools.rand'.get_rand_bytes('x')", "number expected"});
}

static void digests_match_the_published_vectors(void **state)
{
	MODULE_RUN({"return require 'kong.tools.sha256'.sha256_hex('abc')",
				   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
				   "d"},
			{"local s = require 'kong.tools.sha256' return s.sha256_base64('') .. "
			 "s.sha256_base64url('') .. #s.sha256_bin('')",
					"47DEQpj8HBSa+/"
					"TImW+5JCeuQeRkm5NMpJWZG3hSuFU=47DEQpj8HBSa-_TImW-"
					"5JCeuQeRkm5NMpJWZG3hSuFU32"},
			{"local d = require 'resty.sha1':new() d:update('a') d:update('bc') return "
			 "require 'resty.string'.to_hex(d:final())",
					"a9993e364706816aba3e25717850c26c9cd0d89d"},
			{"local d = require 'resty.md5':new() d:update('x') d:reset() "
			 "d:update('abc') return require 'resty.string'.to_hex(d:final())",
					"900150983cd24fb0d6963f7d28e17f72"},
			{"local d = require 'resty.sha224':new() d:update('abc') return require "
			 "'resty.string'.to_hex(d:final())",
					"23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
			{"local d = require 'resty.sha384':new() d:update('abc') return require "
			 "'resty.string'.to_hex(d:final()):sub(1, 32)",
					"cb00753f45a35e8bb5a03d699ac65007"},
			{"local d = require 'resty.sha512':new() d:update('abc') return require "
			 "'resty.string'.to_hex(d:final()):sub(1, 32)",
					"ddaf35a193617abacc417349ae204131"},
			{"require 'resty.sha256':new():update(5)", "string expected, got number"},
			{"require 'resty.sha256'.update({}, 'a')", "not a sha256 object"},
			{"require 'resty.string'.to_hex()", "string expected, got nil"},
			{"local m = require 'resty.hmac' local h = m:new('Jefe', m.ALGOS.SHA256) "
			 "h:update('what do ya want ') return h:final('for nothing?', true)",
					"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964"
					"ec3843"},
			{"return tostring(require 'resty.hmac':new('k', 'no-such'))", "nil"});
}

static void base64_of_urls(void **state)
{
	MODULE_RUN({"local b = require 'ngx.base64' return b.encode_base64url('\\251\\255\\254') "
		    ".. #b.decode_base64url('-__-')",
				   "-__-3"},
			{"local b = require 'ngx.base64' return tostring(b.decode_base64url('+')) "
			 ".. select(2, b.decode_base64url('+')) .. select(2, "
			 "b.encode_base64url(1))",
					"nilinvalid inputmust provide a string"},
			{"return require 'ngx.base64'.decode_base64mime('aG\\nk=')", "hi"});
}

static void headers_are_added_and_strings_split(void **state)
{
	MODULE_RUN({"require 'ngx.req'.add_header('X-Many', { 'two', 'three' }) local v = "
		    "ngx.req.get_headers()['X-Many'] return table.concat(v, '+')",
				   "one+two+three"},
			{"local r = require 'ngx.resp' r.add_header('X-N', 'a') "
			 "r.add_header('X-N', 'b') return table.concat(ngx.header['X-N'], '+')",
					"a+b"},
			{"return table.concat(require 'ngx.re'.split('a,b;c', '[,;]'), '|')",
					"a|b|c"},
			{"return table.concat(require 'ngx.re'.split('a,b,c', '(,)'), '|')",
					"a|,|b|,|c"},
			{"return table.concat(require 'ngx.re'.split('a,b,c', ',', nil, nil, 2), "
			 "'|')",
					"a|b,c"},
			{"return table.concat(require 'ngx.re'.split('abc', ''), '|')", "a|b|c"},
			{"return select(2, require 'ngx.re'.split('abc', '(')):sub(1, 4)", "pcre"},
			{"require 'ngx.re'.opt(1)", "string expected"});
}

static void caches_forget_what_is_old(void **state)
{
	MODULE_RUN({"local c = require 'resty.lrucache'.new(2) c:set('a', 1) c:set('b', 2) "
		    "c:get('a') c:set('c', 3) return tostring(c:get('a')) .. tostring(c:get('b')) "
		    ".. c:count() .. c:capacity()",
				   "1nil22"},
			{"local c = require 'resty.lrucache.pureffi'.new(2) c:set('a', 1, -1, 7) "
			 "local v, stale, flags = c:get('a') return tostring(v) .. stale .. flags",
					"nil17"},
			{"local c = require 'resty.lrucache'.new(3) c:set('a', 1) c:set('b', 2) "
			 "c:delete('a') local k = c:get_keys() c:flush_all() return k[1] .. #k .. "
			 "c:count()",
					"b10"},
			{"return select(2, require 'resty.lrucache'.new(0))", "size too small"},
			{"require 'resty.lrucache'.get({}, 'a')", "not a cache object"});
}

static void addresses(void **state)
{
	MODULE_RUN({"local m = require 'resty.ipmatcher'.new({ '127.0.0.1', '192.168.0.0/16', "
		    "'::1', 'fe80::/10' }) return tostring(m:match('192.168.3.4')) .. "
		    "tostring(m:match('192.169.0.1')) .. tostring(m:match('fe8f::2')) .. "
		    "tostring(m:match('fec0::'))",
				   "truefalsetruefalse"},
			{"local m = require 'resty.ipmatcher'.new_with_value({ ['10.0.0.0/8'] = "
			 "'wide', ['10.1.0.0/20'] = 'near' }) return m:match('10.1.15.1') .. "
			 "m:match('10.1.16.1') .. select(2, m:match('x'))",
					"nearwideinvalid ip address, not ipv4 and ipv6"},
			{"return select(2, require 'resty.ipmatcher'.new({ '10.0.0.0/33' }))",
					"invalid ip address: 10.0.0.0/33"},
			{"require 'resty.ipmatcher'.new('x')", "missing valid ip argument"},
			{"local m = require 'resty.ipmatcher' return m.parse_ipv4('127.0.0.1') .. "
			 "tostring(m.parse_ipv4('1.2.3')) .. m.parse_ipv6('::1')[4]",
					"2130706433false1"},
			{"local t = require 'kong.tools.ip' return tostring(t.is_valid_ip('::1')) "
			 ".. tostring(t.is_valid_cidr('10.0.0.0/8')) .. "
			 "tostring(t.is_valid_cidr('10.0.0.0/40')) .. "
			 "tostring(t.is_valid_ipv4('::1'))",
					"truetruefalsefalse"},
			{"local t = require 'kong.tools.ip' return "
			 "t.format_host(t.normalize_ip('001.002.003.004:123')) .. "
			 "t.format_host('::1', 80)",
					"1.2.3.4:123[0000:0000:0000:0000:0000:0000:0000:0001]:80"},
			{"local t = require 'kong.tools.ip' return select(2, "
			 "t.normalize_ip('1.2.3.4:99999')) .. '; ' .. select(2, "
			 "t.normalize_ip('a..b'))",
					"invalid port number; invalid hostname: a..b"});
}

static void cookies(void **state)
{
	MODULE_RUN({"local c = require 'resty.cookie':new() return c:get('a') .. c:get('Session') "
		    ".. tostring(c:get('none'))",
				   "1s 1nil"},
			{"local c = require 'resty.cookie':new() c:set({ key = 'k', value = 'v', "
			 "path = '/', httponly = true, samesite = 'Lax', max_age = 5 }) return "
			 "ngx.header['Set-Cookie']",
					"k=v; Max-Age=5; Path=/; HttpOnly; SameSite=Lax"},
			{"return select(2, require 'resty.cookie':new():set({ key = 'k' }))",
					"missing cookie field \"key\" or \"value\""},
			{"return select(2, require 'resty.cookie':new():set({ key = 'k', value = "
			 "'a\\nb' }))",
					"a cookie cannot hold control characters"});
}

static void urls(void **state)
{
	MODULE_RUN({"local u = require "
		    "'socket.url'.parse('https://bob:pw@example.org:8443/a/b;p?q=1#f') return "
		    "table.concat({ u.scheme, u.user, u.password, u.host, u.port, u.path, "
		    "u.params, u.query, u.fragment }, ' ')",
				   "https bob pw example.org 8443 /a/b p q=1 f"},
			{"local s = require 'socket.url' return "
			 "s.build(s.parse('http://[::1]:80/x?y')) .. tostring(s.parse(''))",
					"http://[::1]:80/x?ynil"},
			{"local s = require 'socket.url' local b = 'http://a/b/c/d;p?q' return "
			 "s.absolute(b, 'g') .. ' ' .. s.absolute(b, '../g') .. ' ' .. "
			 "s.absolute(b, '/g') .. ' ' .. s.absolute(b, '?y') .. ' ' .. "
			 "s.absolute(b, '//h') .. ' ' .. s.absolute(b, 'k:l')",
					"http://a/b/c/g http://a/b/g http://a/g http://a/b/c/d;p?y "
					"http://h k:l"},
			{"local s = require 'socket.url' return s.escape('a b/') .. "
			 "s.unescape('%41%2f') .. s.build_path(s.parse_path('/a%20b/c/'))",
					"a%20b%2fA//a%20b/c/"},
			{"local u = require 'kong.tools.uri' return "
			 "u.normalize('/a/./b/../%7Ec%2f', true) .. ' ' .. u.normalize('/a//b/..', "
			 "true) .. ' ' .. u.escape('/a b%20')",
					"/a/~c%2F /a/ /a%20b%20"});
}

static void media_types(void **state)
{
	MODULE_RUN({"local t, s, p = require "
		    "'kong.tools.mime_type'.parse_mime_type('application/json; charset=\"utf-8\"; "
		    "Q=1') return t .. s .. p.charset .. p.Q",
				   "applicationjsonutf-81"},
			{"local t, s, p = require 'kong.tools.mime_type'.parse_mime_type('a/b; "
			 "Q=1', { param_key_ignorecase = true }) return p.q",
					"1"},
			{"return tostring(require 'kong.tools.mime_type'.parse_mime_type('a/')) .. "
			 "require 'kong.tools.mime_type'.parse_mime_type('*')",
					"nil*"});
}

static void versions_compare(void **state)
{
	MODULE_RUN({"local v = require 'version' return tostring(v('1.2') < v('1.10')) .. "
		    "tostring(v('1.0') == v('1')) .. tostring(v('3.2.1')) .. "
		    "tostring(v('1.2'):semver('1.3'))",
				   "truetrue3.2.1true"},
			{"local v = require 'version' return tostring(v.range('1.0', "
			 "'2.0'):matches('1.5')) .. tostring(v.set('1.0', "
			 "'2.0'):disallowed('1.5'):matches('1.5')) .. select(2, v.strict('x1'))",
					"truefalseNot a valid version element: 'x1'"},
			{"require 'version'.range('2', '1')", "FROM version must be less than or "
							      "equal to the TO version"});
}

static void json_and_constants(void **state)
{
	MODULE_RUN({"return require 'kong.tools.json'.encode({ a = 1 }) .. #require "
		    "'kong.tools.cjson'.decode_with_array_mt('[1,2]') .. require "
		    "'kong.tools.cjson'.encode(require "
		    "'kong.tools.cjson'.decode_with_array_mt('[]'))",
				   "{\"a\":1}2[]"},
			{"return require 'kong.constants'.HEADERS.CONSUMER_ID .. tostring((require "
			 "'kong.tools.yield'.yield())) .. #require "
			 "'kong.constants'.RATELIMIT.PERIODS",
					"X-Consumer-IDnil6"},
			{"local m = require 'kong.meta' return m._VERSION .. "
			 "tostring(m._VERSION_TABLE) .. m._VERSION_TABLE.major",
					"3.15.03.15.03"});
}

static void only_what_is_listed_can_be_required(void **state)
{
	MODULE_RUN({"require 'no.such.module'",
				   "require 'no.such.module' not allowed within sandbox"},
			{"require '_digest_class'",
					"require '_digest_class' not allowed within sandbox"},
			{"require 'ffi'", "require 'ffi' not allowed within sandbox"},
			{"return tostring(require 'pl.stringx' == require 'pl.stringx')", "true"},
			{"return tostring(getmetatable(require 'resty.md5':new())) .. "
			 "tostring(pcall(setmetatable, require 'resty.md5':new(), {}))",
					"falsefalse"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(pieces_of_strings_are_as_penlight_gives_them),
			cmocka_unit_test(tables_are_as_penlight_gives_them),
			cmocka_unit_test(strings_of_kong_tools),
			cmocka_unit_test(tables_of_kong_tools),
			cmocka_unit_test(times_and_dates),
			cmocka_unit_test(names_and_random_bytes),
			cmocka_unit_test(digests_match_the_published_vectors),
			cmocka_unit_test(base64_of_urls),
			cmocka_unit_test(headers_are_added_and_strings_split),
			cmocka_unit_test(caches_forget_what_is_old),
			cmocka_unit_test(addresses),
			cmocka_unit_test(cookies),
			cmocka_unit_test(urls),
			cmocka_unit_test(media_types),
			cmocka_unit_test(versions_compare),
			cmocka_unit_test(json_and_constants),
			cmocka_unit_test(only_what_is_listed_can_be_required),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
