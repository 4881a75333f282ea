/* SPDX-License-Identifier: Apache-2.0
 * Small modules: each row is a program and the text it must return, or a part of the error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"
#include "tests/unit/x509_case.h"

#define O \
	"local function o(name) return require('resty.openssl.' .. name) end " \
	"local function names(t) local out, i = '', 1 while t[i] do out, i = out .. t[i] .. ' ', " \
	"i + 1 end return out end "
#define HEX "local hex = require 'resty.string'.to_hex "
/* 5 MB and 64 MB of zeros, compressed twice. */
#define BOMB5 \
	"H4sIAAAAAAACA5Pv5mAAASbmNwcZGYGMhgn/1r/j4GIYBaNgFIyCUTAKRsEoGAWjYBSMglEwCkbBMAcNt5udmUA" \
	"Mx//x1odGBwNGwSgYjkCGsXSz9UkGhgAGALpD7loIFAAA"

static void openssl_says_what_it_is(void **state)
{
	MODULE_RUN({O "local v = o'version' return tostring(v.version_num >= 0x30000000) .. "
		      "tostring(v.OPENSSL_3X) .. tostring(v.BORINGSSL) .. v.version():sub(1, 7) .. "
		      "tostring(v.version() == v.version_text)",
				   "truetruefalseOpenSSLtrue"},
			{O "local e = o'err' return e.format_error('ctx') .. e.format_all_error() "
			   ".. "
			   "e.format_error(5) .. e.get_last_error_code()",
					"ctx0"},
			{O "local p = o'provider' local d = p.load('default') return "
			   "tostring(p.istype(d)) .. tostring(p.is_available('default')) .. "
			   "tostring(p.is_available('legacy')) .. select(2, p.load('legacy'))",
					"truetruefalseprovider.load: plugins use the default "
					"provider and load no other"},
			{O "error(select(2, o'provider'.set_default_search_path('/tmp')))",
					"plugins have no files"},
			{O "local c = o'ctx' return tostring(c.new(true)) .. tostring(c.free()) .. "
			   "select(2, c.new(true, '/etc/ssl/openssl.cnf'))",
					"truetruectx.new: plugins have no files"},
			{"local s = require 'resty.openssl' return s._VERSION .. "
			 "tostring(s.get_fips_mode()) .. select(2, s.set_fips_mode(true)) .. "
			 "table.concat(s.list_mac_algorithms(), ' ')",
					"1.7.0falseopenssl.set_fips_mode: not for pluginsHMAC CMAC "
					"KMAC-128 KMAC-256 POLY1305 SIPHASH BLAKE2BMAC "
					"BLAKE2SMAC"});
}

static void numbers_of_keys_have_their_names(void **state)
{
	MODULE_RUN({O "local k = o'pkey'.new{ bits = 1024 } local p = o'rsa'.get_parameters(k) "
		      "return "
		      "names(o'rsa'.params) .. p.e:to_dec() .. ' ' .. "
		      "tostring((p.p * p.q) == p.n)",
				   "n e d p q dmp1 dmq1 iqmp 65537 true"},
			{O "local k = o'pkey'.new{ type = 'EC' } local p = o'ec'.get_parameters(k) "
			   "return names(o'ec'.params) .. tostring(p.x ~= nil "
			   "and "
			   "p.y ~= nil and p.private ~= nil)",
					"group public private x y true"},
			{O "local k = o'pkey'.new{ type = 'Ed25519' } local p = "
			   "o'ecx'.get_parameters(k) return names(o'ecx'.params) .. "
			   "#p.public .. #p.private",
					"public private 3232"},
			{O "return names(o'dh'.params)", "private public p q g "});
}

#define D "local d = require 'resty.dns.resolver' "
static void addresses_are_long_short_and_reversed(void **state)
{
	module_rows_lax = true;
	MODULE_RUN({D "return d.compress_ipv6_addr('FF01:0:0:0:0:0:0:101') .. ' ' .. "
		      "d.compress_ipv6_addr('0:0:0:0:0:0:0:0') .. ' ' .. "
		      "d.compress_ipv6_addr('1:2:3:4:5:6:7:8')",
				   "FF01::101 :: 1:2:3:4:5:6:7:8"},
			{D "return d.expand_ipv6_addr('FF01::101') .. ' ' .. "
			   "d.expand_ipv6_addr('::') .. ' ' .. d.expand_ipv6_addr('::1') .. ' ' .. "
			   "d.expand_ipv6_addr('1::') .. ' ' .. "
			   "d.expand_ipv6_addr('1:2:3:4:5:6:7::8:9')",
					"FF01:0:0:0:0:0:0:101 0:0:0:0:0:0:0:0 0:0:0:0:0:0:0:1 "
					"1:0:0:0:0:0:0:0 1:2:3:4:5:6:7::8:9"},
			{D "return d.arpa_str('1.2.3.4') .. ' ' .. d.arpa_str('::1')",
					"4.3.2.1.in-addr.arpa "
					"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
					"0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"},
			{D "return d.arpa_str('1.2.3')", "not an address"},
			{D "return d.TYPE_A + d.TYPE_SPF + d.CLASS_IN + d.SECTION_AR", "104"});
	module_rows_lax = false;
	MODULE_RUN({"return require('resty.dns.resolver')",
			"require 'resty.dns.resolver' not allowed within sandbox (it is there with "
			"untrusted_lua: lax only)"});
}

static void old_tools_are_under_one_name(void **state)
{
	MODULE_RUN({"local u = require 'kong.tools.utils' return table.concat(u.split('a,b', ','), "
		    "'|') .. tostring(#u.uuid()) .. tostring(u.is_valid_uuid(u.uuid())) .. "
		    "type(u.deep_copy) .. tostring(u.sha256_hex == nil) .. u.inflate_gzip("
		    "u.deflate_gzip('x'))",
				   "a|b36truefunctionfalsex"},
			{"local t = require 'resty.core.time' return tostring(t.monotonic_msec() > "
			 "0) "
			 ".. tostring(math.abs(t.monotonic_time() * 1000 - t.monotonic_msec()) < "
			 "1000) .. t.version",
					"truetrue0.1.26"});
}

/* RFC 4493 example 2; RFC 8439 section 2.5.2; NIST's KMAC sample 1. */
static void macs_match_the_published_vectors(void **state)
{
	MODULE_RUN({O HEX "local function un(s) return (s:gsub('%x%x', function(h) return "
			  "string.char(tonumber(h, 16)) end)) end local m = "
			  "o'mac'.new(un('2b7e151628aed2a6abf7158809cf4f3c'), 'CMAC', "
			  "'aes-128-cbc') "
			  "m:update(un('6bc1bee22e409f96')) return "
			  "hex(m:final(un('e93d7e117393172a')))",
				   "070a16b46b4d4144f79bdd9dd04a287c"},
			{O HEX "local function un(s) return (s:gsub('%x%x', function(h) return "
			       "string.char(tonumber(h, 16)) end)) end local m = "
			       "o'mac'.new(un('"
			       "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f"
			       "51b'), 'Poly1305') return hex(m:final('Cryptographic Forum "
			       "Research "
			       "Group'))",
					"a8061dc1305136c6c22b8baf0c0127a9"},
			{O HEX "local k = '' for i = 0x40, 0x5f do k = k .. string.char(i) end "
			       "local m = "
			       "o'mac'.new(k, 'KMAC-128') return hex(m:final('\\0\\1\\2\\3'))",
					"e5780b0d3ea6f7d3a429c5706aa43a00fadbd7d49628839e3187243f45"
					"6ee14e"},
			{O "local m = o'mac' local h = m.new('k', 'HMAC', nil, 'sha256') "
			   "h:update('x') local c = m.new(('k'):rep(16), 'CMAC', 'aes-128-cbc') "
			   "c:update('x') c:reset() return tostring(h:final() == "
			   "o'hmac'.new('k', 'sha256'):final('x')) .. tostring(m.istype(h)) .. "
			   "tostring(m.istype(c)) .. #c:final()",
					"truetruetrue16"},
			{O "error(select(2, o'mac'.new('k', 'GMAC', 'aes-128-gcm')))",
					"\"GMAC\" is not available, or not with this key"},
			{O "error(select(2, o'mac'.new('short', 'CMAC', 'aes-128-cbc')))",
					"not with this key and cipher"},
			{O "error(select(2, o'mac'.new('k', 'CMAC')))", "is not available"},
			{O "return o'mac'.update({}, 'x')", "expect a mac instance at #1"});
}

/* RFC 7914, section 12. */
static void scrypt_matches_its_vector_and_is_bounded(void **state)
{
	MODULE_RUN({O HEX "local k = o'kdf' return hex(k.derive{ type = k.SCRYPT, pass = "
			  "'password', salt = "
			  "'NaCl', scrypt_N = 1024, scrypt_r = 8, scrypt_p = 16, outlen = 16 })",
				   "fdbabe1c9d3472007856e7190d01e9fe"},
			{O "local k = o'kdf' error(select(2, k.derive{ type = k.SCRYPT, pass = "
			   "'p', "
			   "salt = 's', scrypt_N = 1048576, scrypt_r = 8, scrypt_p = 1, outlen = "
			   "16 "
			   "}))",
					"at most 32 MB and the CPU time that is left"},
			{O "local k = o'kdf' error(select(2, k.derive{ type = k.SCRYPT, pass = "
			   "'p', "
			   "salt = 's', scrypt_N = 16384, scrypt_r = 8, scrypt_p = 1000, outlen = "
			   "16 "
			   "}))",
					"the CPU time that is left"},
			{O "local k = o'kdf' error(select(2, k.derive{ type = k.SCRYPT, pass = "
			   "'p', "
			   "salt = 's', scrypt_N = 1000, scrypt_r = 8, scrypt_p = 1, outlen = 16 "
			   "}))",
					"a power of two"},
			{O "local k = o'kdf' error(select(2, k.derive{ type = 5, outlen = 16 }))",
					"only PBKDF2, HKDF and SCRYPT are available"});
}

static void what_else_a_certificate_names_is_read(void **state)
{
	MODULE_RUN({O "local c = o'x509'.new([[" X509_LEAF "]]) local a, p = c:get_info_access(), "
		      "c:get_crl_distribution_points() return a:count() .. a[1][1] .. a[1][2] .. "
		      "a[1][3] .. ' ' .. p:count() .. p[1]:tostring() .. "
		      "tostring(o'x509.extension.info_access'.istype(a)) .. "
		      "tostring(o'x509.extension.dist_points'.istype(p))",
				   "1178URIhttp://ocsp.example/ "
				   "1URI=http://crl.example/a.crltruetrue"},
			{O "local c = o'x509'.new([[" X509_CA "]]) return "
			   "tostring(c:get_info_access()) .. "
			   "tostring(c:get_crl_distribution_points())",
					"nilnil"},
			{O "error(select(2, o'x509.extension.info_access'.new()))",
					"read here, not made"},
			{O "error(select(2, o'x509.extension.dist_points'.new()))",
					"read here, not made"},
			{O "local r = o'x509.revoked' local one = r.new(255, 1700000000, 1) return "
			   "one.serial_number .. one.revoked_at .. one.reason .. "
			   "tostring(r.istype(one)) .. tostring(r.istype{}) .. select(2, "
			   "r.new('x'))",
					"FF17000000001truefalsex509.revoked.new: expect a number "
					"or a bn at "
					"#1"});
}

#define P12 \
	O "local p, key, leaf, ca = o'pkcs12', o'pkey'.new([[" X509_LEAF_KEY \
	  "]]), o'x509'.new([[" X509_LEAF "]]), o'x509'.new([[" X509_CA "]]) "

static void a_pkcs12_file_is_written_and_read(void **state)
{
	MODULE_RUN({P12 "local der = p.encode({ friendly_name = 'n', key = key, cert = leaf, "
			"cacerts = { "
			"ca } }, 'pw') local r = p.decode(der, 'pw') return r.friendly_name .. "
			"#r.cacerts .. tostring(r.key:to_PEM('private') == key:to_PEM('private')) "
			".. "
			"tostring(r.cert:to_PEM() == leaf:to_PEM()) .. "
			"tostring(r.cacerts[1]:to_PEM() == ca:to_PEM())",
				   "n1truetruetrue"},
			{P12 "local der = p.encode({ key = key, cert = leaf }, 'pw') "
			     "error(select(2, "
			     "p.decode(der, 'other')))",
					"not with this passphrase"},
			{P12 "error(select(2, p.decode('not one')))", "not PKCS#12"},
			{P12 "error(select(2, p.encode({ key = key, cert = ca }, 'pw')))",
					"not the certificate's private key"},
			{P12 "error(select(2, p.encode({ key = key, cert = 5 })))",
					"a x509 in cert at #1"},
			{P12 "local der = p.encode({ key = key, cert = leaf }, 'pw') local at = "
			     "der:find('\\2\\2\\8\\0', -12, true) der = der:sub(1, at - 1) .. "
			     "'\\2\\2\\127\\255' .. der:sub(at + 4) error(select(2, p.decode(der, "
			     "'pw')))",
					"more rounds of hashing than are allowed"});
}

static void modules_that_cannot_be_here_say_why(void **state)
{
	MODULE_RUN({"require 'resty.openssl.ssl'",
				   "require 'resty.openssl.ssl': connections are the "
				   "gateway's"},
			{"require 'resty.openssl.ssl_ctx'", "connections are the gateway's"},
			{"require 'resty.openssl.param'", "pointers into OpenSSL"},
			{"require 'resty.openssl.stack'", "pointers into OpenSSL"},
			{"require 'kong.tools.jose'", "resty.jwt"},
			{"require 'resty.ada'", "socket.url"},
			{"require 'resty.evp'", "resty.openssl.pkey"},
			{"require 'resty.passwdqc'", "no dictionary"},
			{"require 'xmlua'", "no reader of XML"},
			{"require 'ffi'", "require 'ffi' not allowed within sandbox"});
}

static void a_bomb_of_gzip_is_cut_at_its_bound(void **state)
{
	MODULE_RUN({"local g = require 'kong.tools.gzip' local z = "
		    "g.inflate_gzip(ngx.decode_base64('" BOMB5
		    "')) local plain, why = g.inflate_gzip(z) return #z .. tostring(plain) .. why",
				   "5128nilmore than 4 MB of plain data"},
			{"local g = require 'kong.tools.gzip' local z = "
			 "g.inflate_gzip(ngx.decode_base64('" BOMB5
			 "')) while true do g.inflate_gzip(z) end",
					"used more than its 2000 ms of CPU time"},
			{"local g = require 'kong.tools.gzip' local z = g.deflate_gzip('text') "
			 "return "
			 "select(2, g.inflate_gzip(z:sub(1, -9))) .. select(2, "
			 "g.inflate_gzip('plain'))",
					"not gzip data, or cut offnot gzip data, or cut off"});
}

#define FORM \
	"local function form(boundary, body, ...) ngx.req.set_header('Content-Type', " \
	"'multipart/form-data; boundary=' .. boundary) ngx.req.read_body() " \
	"ngx.req.set_body_data(body) return require('resty.upload'):new(...) end " \
	"local function all(f) local out = {} for i = 1, 99 do local kind, r = f:read() " \
	"out[i] = kind and kind .. (r and '=' .. (r[3] or r) or '') or 'no: ' .. r " \
	"if not kind or kind == 'eof' then break end end return table.concat(out, ' ') end "

static void an_uploaded_form_is_read_part_by_part(void **state)
{
	MODULE_RUN({FORM "return all(form('XX', 'pre\\r\\n--XX\\r\\nA: 1\\r\\nB: "
			 "2\\r\\n\\r\\nbody\\r\\nmore\\r\\n--XX\\r\\n\\r\\n\\r\\n--XX--\\r\\n'))",
				   "header=A: 1 header=B: 2 body=body\r\nmore part_end part_end "
				   "eof"},
			{FORM "return all(form('\"X X\"', '--X "
			      "X\\r\\nA:1\\r\\n\\r\\n12345\\r\\n--X "
			      "X--', 2))",
					"header=A:1 body=12 body=34 body=5 part_end eof"},
			{FORM "return all(form('XX', '--XX\\r\\nA: 1\\r\\n\\r\\n--XX--'))",
					"header=A: 1 part_end eof"},
			{FORM "return all(form('XX', 'nothing'))", "no: the boundary is missing"},
			{FORM "return all(form('XX', '--XX\\r\\nA: 1\\r\\n\\r\\ncut'))",
					"header=A: 1 no: the body ends in a part"},
			{FORM "return all(form('XX', '--XX\\r\\nA: 1'))",
					"no: the body ends in a header"},
			{FORM "error(all(form('XX', '--XX\\r\\n' .. ('x'):rep(600) .. '\\r\\n')))",
					"no: line too long: xxxx"},
			{FORM "error(select(2, form(('x'):rep(71), '')))", "no boundary defined"},
			{"error(select(2, require('resty.upload'):new()))",
					"no Content-Type header"},
			{"require('resty.upload').read({})", "not initialized"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(openssl_says_what_it_is),
			cmocka_unit_test(numbers_of_keys_have_their_names),
			cmocka_unit_test(addresses_are_long_short_and_reversed),
			cmocka_unit_test(old_tools_are_under_one_name),
			cmocka_unit_test(macs_match_the_published_vectors),
			cmocka_unit_test(scrypt_matches_its_vector_and_is_bounded),
			cmocka_unit_test(what_else_a_certificate_names_is_read),
			cmocka_unit_test(a_pkcs12_file_is_written_and_read),
			cmocka_unit_test(modules_that_cannot_be_here_say_why),
			cmocka_unit_test(a_bomb_of_gzip_is_cut_at_its_bound),
			cmocka_unit_test(an_uploaded_form_is_read_part_by_part),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
