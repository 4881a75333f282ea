/* SPDX-License-Identifier: Apache-2.0
 * resty.openssl.bn, and what resty.openssl.pkey does beyond signing: each row is a program and
 * the text it must return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"

#define BN "local bn = require 'resty.openssl.bn' "
#define PKEY \
	"local p = require 'resty.openssl.pkey' local hex = require 'resty.string'.to_hex " \
	"local function un(s) return (s:gsub('%x%x', function(h) return " \
	"string.char(tonumber(h, 16)) end)) end "

static void numbers_add_multiply_and_divide_as_they_should(void **state)
{
	MODULE_RUN({BN "local a, b = bn.new('123456789012345678901234567890'), bn.new(987654321) "
		       "return tostring(a + b) .. ' ' .. tostring(a - b) .. ' ' .. tostring(b - a)",
				   "123456789012345678902222222211 "
				   "123456789012345678900246913569 "
				   "-123456789012345678900246913569"},
			{BN "local a = bn.from_hex('FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF') return "
			    "(a * a):to_hex() .. (a / 16):to_hex() .. tostring(a % 10)",
					"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE00000000000000000000000000"
					"0"
					"000010FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5"},
			{BN "return tostring(bn.new(2) ^ 100)", "1267650600228229401496703205376"},
			{BN "return tostring(bn.gcd(48, 36)) .. tostring(bn.lshift(1, 70)) .. "
			    "tostring(bn.rshift(bn.lshift(1, 70), 69)) .. tostring(-bn.new(5))",
					"1211805916207174113034242-5"},
			{BN "return tostring(bn.mod_exp(4, 13, 497)) .. ' ' .. "
			    "tostring(bn.mod_inverse(3, 11)) .. ' ' .. tostring(bn.mod_mul(7, 8, "
			    "10)) .. ' ' .. tostring(bn.mod_sub(1, 3, 10)) .. ' ' .. "
			    "tostring(bn.mod_sqr(7, 10)) .. ' ' .. tostring(bn.sqr(12))",
					"445 4 6 8 9 144"});
}

static void numbers_compare_and_convert(void **state)
{
	MODULE_RUN({BN "local a = bn.new(258) return #a:to_binary() .. a:to_binary(4):byte(3) .. "
		       "a:to_hex() .. a:to_dec() .. a:to_number() .. "
		       "tostring(bn.from_binary('\\1\\2') == a)",
				   "210102258258true"},
			{BN "local a = bn.new(-255) return require "
			    "'resty.string'.to_hex(a:to_mpi()) .. "
			    "tostring(bn.from_mpi(a:to_mpi()))",
					"0000000280ff-255"},
			{BN "local a, b = bn.new(3), bn.new(4) return tostring(a < b) .. "
			    "tostring(b <= "
			    "a) .. tostring(a:is_odd()) .. tostring(b:is_zero()) .. "
			    "tostring(bn.new(1):is_one()) .. tostring(b:is_word(4)) .. bn.cmp(a, "
			    "b) .. "
			    "bn.ucmp(-5, 4)",
					"truefalsetruefalsetruetrue-11"},
			{BN "return tostring(bn.new(7919):is_prime()) .. "
			    "tostring(bn.new(7917):is_prime()) .. "
			    "tostring(bn.generate_prime(128):is_prime())",
					"truefalsetrue"},
			{BN "local a = bn.new() a:set(9) return tostring(a:dup()) .. "
			    "tostring(a:set('x'))",
					"9nil"});
}

static void what_is_no_number_or_too_large_is_refused(void **state)
{
	MODULE_RUN({BN "return select(2, bn.new('12x')) .. '; ' .. select(2, bn.new({})) .. '; ' "
		       ".. "
		       "select(2, bn.from_hex('0x1')) .. '; ' .. select(2, bn.new(1.5))",
				   "bn.new: expect a number, a bn or the text of a number at #1; "
				   "bn.new: expect a number, a bn or the text of a number at #1; "
				   "bn.from_hex: not a number; bn.new: expect a number, a bn or "
				   "the "
				   "text of a number at #1"},
			{BN "return select(2, bn.div(1, 0)) .. '; ' .. select(2, bn.exp(2, 1e9)) "
			    ".. "
			    "'; ' .. select(2, bn.lshift(1, 1e9))",
					"bn.div: no result, or it takes too long; bn.exp: no "
					"result, or it takes too long; bn.lshift: no result, or it "
					"takes too long"},
			{BN "bn.new(('9'):rep(20000))", "at most 32,768 bits"},
			{BN "local a = bn.lshift(1, 32000) return select(2, bn.mul(a, a))",
					"bn.mul: no result, or it takes too long"},
			{BN "local a = bn.lshift(1, 32000) - 1 return select(2, bn.mod_exp(a, a, "
			    "a))",
					"bn.mod_exp: no result, or it takes too long"},
			{BN "return bn.new(1) + {}", "expect a bn or a whole number at #2"},
			{BN "local a = bn.new(1) a.hex = 'zz' return select(2, bn.add(a, 1))",
					"bn.add: no result, or it takes too long"},
			{BN "bn.to_hex({})", "expect a bn instance at #1"},
			{BN "bn.generate_prime(1e6)", "8 to 2,048 bits"});
}

static void keys_are_made_and_say_what_they_are(void **state)
{
	MODULE_RUN({PKEY "local k = p.new({ type = 'RSA', bits = 1024 }) local q = "
			 "k:get_parameters() return tostring(k:is_private()) .. k:get_size() .. "
			 "k:get_key_type().ln .. k:get_key_type(true) .. tostring(q.p * q.q == "
			 "q.n) .. tostring(q.e)",
				   "true128rsaEncryption6true65537"},
			{PKEY "local k = p.new({ type = 'EC', curve = 'secp384r1' }) local q = "
			      "k:get_parameters() return k:get_key_type().bits .. q.group .. "
			      "tostring(q.private ~= nil) .. #k:sign('m', nil, nil, { "
			      "ecdsa_use_raw = true })",
					"384715true96"},
			{PKEY "local k = p.new({ type = 'Ed25519' }) local o = "
			      "p.new(k:tostring('public')) return #k:get_parameters().private .. "
			      "tostring(o:get_parameters().private) .. "
			      "tostring(o:verify(k:sign('m'), 'm'))",
					"32niltrue"},
			{PKEY "return select(2, p.new({ type = 'DSA' })) .. '; ' .. select(2, "
			      "p.new({ type = 'EC', curve = 'none' })) .. '; ' .. "
			      "select(2, p.paramgen({ type = 'DH' })) .. '; ' .. select(2, p.new({ "
			      "type = 'DH', param = 'x' }))",
					"pkey.new: gen_key: unsupported type DSA; pkey.new: "
					"gen_key: refused, or it does not fit into the CPU time "
					"that is left; pkey.paramgen: parameters are not made "
					"here: name a curve or a group; pkey.new: gen_key: "
					"parameters are named (group, curve), not made"},
			{PKEY "p.new({ type = 'RSA', bits = 65536 })", "512 to 4,096 bits"},
			{PKEY "p.new({ type = 'DH' })", "a named group expected"});
}

static void keys_are_written_as_pem_der_and_jwk_and_read_back(void **state)
{
	MODULE_RUN({PKEY "local out = '' for _, o in ipairs({ { type = 'RSA', bits = 1024 }, { "
			 "type = 'EC' }, { type = 'Ed25519' }, { type = 'X25519' } }) do local k = "
			 "p.new(o) for _, f in ipairs({ 'PEM', 'DER', 'JWK' }) do local a = "
			 "p.new(k:tostring('private', f)) local b = p.new(k:tostring('public', f)) "
			 "out = out .. (a.der == k.der and a:is_private() and not b:is_private() "
			 "and "
			 "b:tostring('public', 'DER') == k:tostring('public', 'DER') and '1' or "
			 "o.type .. f) end end return out",
				   "111111111111"},
			{PKEY "local k = p.new({ type = 'EC' }) return select(2, "
			      "p.new(k:tostring('public')):tostring('private', 'JWK')) .. '; ' .. "
			      "select(2, k:tostring('public', 'XML'))",
					"pkey:tostring: not a private key; pkey:tostring: unknown "
					"format"});
}

/* X25519: RFC 7748, 6.1. */
static void keys_agree_on_the_published_secrets(void **state)
{
	MODULE_RUN({PKEY "local u = function(s) return "
			 "require 'ngx.base64'.encode_base64url(un(s)) end local function k(x, d) "
			 "return p.new(('{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"%s\"%s}'):"
			 "format(u(x), d and ',\"d\":\"' .. u(d) .. '\"' or '')) end local a = "
			 "k('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a', "
			 "'77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a') "
			 "local "
			 "b = "
			 "k('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f') "
			 "return hex(a:derive(b))",
				   "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e16174"
				   "2"},
			{PKEY "local a, b = p.new({ type = 'EC' }), p.new({ type = 'EC' }) return "
			      "tostring(a:derive(p.new(b:tostring('public'))) == b:derive(a)) .. "
			      "#a:derive(b)",
					"true32"},
			{PKEY "local a, b = p.new({ type = 'DH', group = 'ffdhe2048' }), p.new({ "
			      "type = 'DH', group = 'ffdhe2048' }) return tostring(a:derive(b) == "
			      "b:derive(a))",
					"true"},
			{PKEY "local a, b = p.new({ type = 'EC' }), p.new({ type = 'X25519' }) "
			      "return select(2, a:derive(b)) .. '; ' .. select(2, a:derive('x'))",
					"pkey:derive: the keys do not fit together; pkey:derive: "
					"expect a pkey instance at #1"});
}

static void rsa_encrypts_and_recovers(void **state)
{
	MODULE_RUN({PKEY "local k = p.new({ type = 'RSA', bits = 1024 }) local o = "
			 "p.new(k:tostring('public')) local out = '' for _, pad in ipairs({ 1, 4 "
			 "}) "
			 "do out = out .. k:decrypt(o:encrypt('text' .. pad, pad), pad) end return "
			 "out .. k:decrypt(o:encrypt('s', 4, { oaep_md = 'sha256' }), 4, { oaep_md "
			 "= "
			 "'sha256' }) .. tostring((k:decrypt(o:encrypt('s', 4, { oaep_md = "
			 "'sha256' }), 4)))",
				   "text1text4snil"},
			{PKEY "local k = p.new({ type = 'RSA', bits = 1024 }) local d = "
			      "un('ba7816bf"
			      "8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad') local s "
			      "= "
			      "k:sign_raw(d, 1) return tostring(k:verify_recover(s) == d) .. "
			      "tostring(k:verify_raw(s, d, nil, 1)) .. tostring(k:verify_raw(s, d, "
			      "'sha256'))",
					"truetruefalse"},
			{PKEY "local k = p.new({ type = 'RSA', bits = 1024 }) local s = "
			      "k:sign('m', "
			      "'sha256', 6, { pss_saltlen = 20 }) return tostring(k:verify(s, 'm', "
			      "'sha256', 6, { pss_saltlen = 20 })) .. tostring(k:verify(s, 'm', "
			      "'sha256', 6))",
					"truefalse"},
			{PKEY "local k = p.new({ type = 'RSA', bits = 1024 }) return select(2, "
			      "k:encrypt(('x'):rep(200))) .. '; ' .. select(2, "
			      "p.new(k:tostring('public')):decrypt(('x'):rep(128))) .. '; ' .. "
			      "select(2, k:verify_recover('x')) .. '; ' .. select(2, p.new({ type "
			      "= "
			      "'EC' }):encrypt('x'))",
					"pkey:encrypt: the key, the padding or the text does not "
					"allow it; pkey:decrypt: the key, the padding or the text "
					"does not allow it; pkey:verify_recover: not a signature "
					"of this key; pkey:encrypt: the key, the padding or the "
					"text does not allow it"},
			{PKEY "p.new({ type = 'RSA', bits = 1024 }):encrypt('x', 4, { oaep_md = "
			      "'no' })",
					"unknown digest"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(numbers_add_multiply_and_divide_as_they_should),
			cmocka_unit_test(numbers_compare_and_convert),
			cmocka_unit_test(what_is_no_number_or_too_large_is_refused),
			cmocka_unit_test(keys_are_made_and_say_what_they_are),
			cmocka_unit_test(keys_are_written_as_pem_der_and_jwk_and_read_back),
			cmocka_unit_test(keys_agree_on_the_published_secrets),
			cmocka_unit_test(rsa_encrypts_and_recovers),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
