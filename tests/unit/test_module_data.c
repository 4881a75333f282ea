/* SPDX-License-Identifier: Apache-2.0
 * Ciphers, tokens, password hashes, gzip: each row is a program and the text it must return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"
#include "tests/unit/x509_case.h"

#define JWT "local jwt = require 'resty.jwt' "
#define HEX \
	"local hex = require 'resty.string'.to_hex local function un(s) return (s:gsub('%x%x', " \
	"function(h) return string.char(tonumber(h, 16)) end)) end "
#define BOMB "local g = require 'kong.tools.gzip' local z = g.deflate_gzip(('\\0'):rep(2e6)) "

/* The GCM specification of McGrew and Viega, cases 3 and 4. */
static void gcm_matches_the_published_vectors(void **state)
{
	MODULE_RUN({HEX "local c = require 'resty.openssl.cipher'.new('aes-128-gcm') local key = "
			"un('feffe9928665731c6d6a8f9467308308') local iv = "
			"un('cafebabefacedbaddecaf888') local text = "
			"un('"
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95"
			"956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39') local aad = "
			"un('feedfacedeadbeeffeedfacedeadbeefabaddad2') local out = c:encrypt(key, "
			"iv, text, nil, aad) local tag = c:get_aead_tag() local back = "
			"c:decrypt(key, iv, out, nil, aad, tag) return hex(tag) .. tostring(back "
			"== "
			"text) .. tostring(c:decrypt(key, iv, out, nil, 'x', tag)) .. "
			"tostring(c:decrypt(key, iv, out, nil, aad, ('x'):rep(16)))",
				   "5bc94fbc3221a5db94fae95ae7121a47truenilnil"},
			{HEX "local a = require 'resty.aes' local x = a:new(('k'):rep(32), nil, "
			     "a.cipher(256, 'gcm'), { iv = ('i'):rep(12) }) local r = "
			     "x:encrypt('text', 'aad') return x:decrypt(r[1], r[2], 'aad') .. "
			     "tostring(x:decrypt(r[1], r[2], 'no')) .. tostring(x:decrypt(r[1]))",
					"textnilnil"},
			{"local c = require 'resty.openssl.cipher'.new('aes-256-cbc') "
			 "c:init(('k'):rep(32), ('i'):rep(16), { is_encrypt = true }) local out = "
			 "c:update('some ', 'te') .. c:final('xt') c:init(('k'):rep(32), "
			 "('i'):rep(16), {}) return c:update(out) .. c:final()",
					"some text"},
			{"local c = require 'resty.openssl.cipher' return select(2, c.new('none')) "
			 ".. "
			 "'; ' .. select(2, c.new('aes-128-cbc'):encrypt('k', 'i', 't')) .. '; ' "
			 ".. "
			 "select(2, c.new('aes-128-cbc'):update('x'))",
					"cipher.new: invalid cipher type \"none\"; cipher:init: "
					"incorrect key size, expect 16; cipher:update: cipher is "
					"not initialized"});
}

static void tokens_are_signed_and_verified(void **state)
{
	MODULE_RUN({JWT "local p = require 'resty.openssl.pkey' local keys = { HS256 = 's', HS512 "
			"= "
			"'s', RS256 = p.new({ bits = 1024 }), ES256 = p.new({ type = 'EC' }), "
			"ES512 "
			"= p.new({ type = 'EC', curve = 'secp521r1' }), EdDSA = p.new({ type = "
			"'Ed25519' }) } keys.PS256 = keys.RS256 local out = '' for alg, key in "
			"pairs(keys) do local t = jwt:sign(key, { header = { alg = alg }, payload "
			"= "
			"{ sub = 'u' } }) local public = type(key) == 'table' and "
			"key:tostring('public') or key local r = jwt:verify(public, t) if not "
			"(r.verified and r.payload.sub == 'u') then out = out .. alg .. r.reason "
			"end if jwt:verify(public, t .. 'AAAA').verified or jwt:verify(public, "
			"t:gsub('%.%w', '.f', 1)).verified then out = out .. '!' .. alg end end "
			"return out",
				   ""},
			{JWT "local r = jwt:verify(('a'):rep(0) .. "
			     "require "
			     "'ngx.base64'.decode_base64url('AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-"
			     "EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow'), "
			     "'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
			     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL"
			     "mNvb"
			     "S9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk', "
			     "{}) "
			     "return tostring(r.verified) .. r.payload.iss",
					"truejoe"});
}

static void confused_and_broken_tokens_are_refused(void **state)
{
	MODULE_RUN({JWT "local pem = [[" X509_LEAF "]] local t = jwt:sign('s', { header = { alg = "
			"'HS256' }, payload = {} }) return jwt:verify(pem, t).reason .. '; ' .. "
			"tostring(pcall(jwt.sign, jwt, pem, { header = { alg = 'HS256' }, payload "
			"= "
			"{} }))",
				   "signature mismatch: a key in PEM is no secret; false"},
			{JWT "local r = jwt:verify('s', 'eyJhbGciOiJub25lIn0.e30.') return "
			     "r.reason .. "
			     "tostring(r.verified)",
					"unsupported alg: nonefalse"},
			{JWT "local k = require 'resty.openssl.pkey'.new({ type = 'EC' }) local t "
			     "= "
			     "jwt:sign(k, { header = { alg = 'ES256' }, payload = {} }) return "
			     "jwt:verify([[" X509_LEAF
			     "]], t).reason:sub(1, 19) .. jwt:verify(require "
			     "'resty.openssl.pkey'.new({ bits = 1024 }), t).reason",
					"signature mismatch:signature mismatch: the key is not of "
					"the algorithm's kind"},
			{JWT "local t = jwt:sign('s', { header = { alg = 'HS256' }, payload = { "
			     "exp = 5 } "
			     "}) local j = jwt.new() j:set_alg_whitelist({ RS256 = 1 }) return "
			     "jwt:verify('s', t).reason .. '; ' .. j:verify('s', t).reason .. '; ' "
			     ".. "
			     "jwt:load_jwt('x.y').reason .. '; ' .. tostring(jwt:verify('s', t, { "
			     "sub = "
			     "require 'resty.jwt-validators'.required() }).reason)",
					"'exp' claim expired at Thu, 01 Jan 1970 00:00:05 GMT; "
					"whitelist unsupported alg: HS256; invalid jwt string; "
					"'sub' claim is required."});
}

static void password_hashes_match_and_what_does_not_fit_is_refused(void **state)
{
	MODULE_RUN({"local b = require 'bcrypt' local h = b.digest('pass', 4) return #h .. "
		    "tostring(b.verify('pass', h)) .. tostring(b.verify('Pass', h)) .. "
		    "tostring(b.verify('U*U', "
		    "'$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'))",
				   "60truefalsetrue"},
			{"return select(2, require 'bcrypt'.digest('p', 20))",
					"it would take more CPU "
					"time than is left "
					"(plugin_limits_cpu_ms)"},
			{"return tostring(require 'bcrypt'.verify('p', 'junk'))", "false"},
			{"local a = require 'argon2' local e = a.hash_encoded('password', "
			 "'somesalt', { "
			 "t_cost = 2, m_cost = 256, hash_len = 32 }) return e .. "
			 "tostring(a.verify(e, 'password')) .. tostring(a.verify(e, 'other'))",
					"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFan"
					"M2xBT63UP2sghkUoHLIUpWRS8truefalse"},
			{"local a = require 'argon2' return select(2, a.verify('$argon2id$v=19$m="
			 "4294967295,t=9,p=1$c29tZXNhbHQ$AAAA', 'x')) .. '; ' .. select(2, "
			 "a.verify('junk', 'x')) .. '; ' .. select(2, a.hash_encoded('p', "
			 "'somesalt', { m_cost = 1e6 }))",
					"it would take more CPU time than is left "
					"(plugin_limits_cpu_ms); Decoding failed; it would take "
					"more CPU time than is left (plugin_limits_cpu_ms)"});
}

static void gzip_is_bounded(void **state)
{
	MODULE_RUN({"local g = require 'kong.tools.gzip' return "
		    "g.inflate_gzip(g.deflate_gzip('some text')) .. select(2, "
		    "g.inflate_gzip('junk')) "
		    ".. select(2, g.inflate_gzip(g.deflate_gzip('x'):sub(1, -3)))",
				   "some textnot gzip data, or cut offnot gzip data, or cut off"},
			{BOMB "return #g.inflate_gzip(z)", "2000000"},
			{"local s = require 'string.buffer' local t = require 'tablepool' local a "
			 "= "
			 "t.fetch('p', 1, 1) a.x = 1 t.release('p', a) return "
			 "tostring(t.fetch('p') == "
			 "a) .. tostring(a.x)",
					"truenil"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(gcm_matches_the_published_vectors),
			cmocka_unit_test(tokens_are_signed_and_verified),
			cmocka_unit_test(confused_and_broken_tokens_are_refused),
			cmocka_unit_test(password_hashes_match_and_what_does_not_fit_is_refused),
			cmocka_unit_test(gzip_is_bounded),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
