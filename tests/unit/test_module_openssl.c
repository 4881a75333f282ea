/* SPDX-License-Identifier: Apache-2.0
 * resty.openssl.*: keys, signatures, digests, MACs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"

/* Made for this test. */
#define RSA_KEY \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMogTDZ1Mbn/hunE\n" \
	"6OLsR3G9mHNOtmDMnkad3HnwdE+ohNla7v9nS6MLRrdGK2yxz5iY3VKC28UdCA1S\n" \
	"pESpIu8yKheuAYloS197Z6W4etobq/zSNimhm8oizP0Zql9bPl0S/ZuFelrn4xwB\n" \
	"2iqQI5XyTZHtTqr5ShOnG/wEPx0FAgMBAAECgYEAoAPfsgEng9NaUDk2EWfyy4XI\n" \
	"agi3c3yqFMemotaMjf+gZJ6LtKBnDcXAjxk7CYrfCTSDim3UZIEuPbXeHAk2gHO+\n" \
	"w9fZtzl5QKcSkt+jlViawnFIbmKTWn7PmT2HKPEV9tiWDZUKjDFlFmiD0GNfiTzG\n" \
	"baro+jCFPyDZAYY8XiECQQD0iL/Qd+8n/rdfyT4vq4tUlJVsB4nMVnUY0paPaXsJ\n" \
	"/+UBJ2h4k8+aXCcPHB+OE0GTABCvjnBP5lzy1Ed4Cae9AkEA05qBqObgvWsBlSqM\n" \
	"2HrPW0YvQ0X/yv/I2mwLV0vWp0Waq5xjxmK06HqO5sfjHULoJj7c6qVyKKtf30BO\n" \
	"ncFa6QJAYqKiVHF8KzLIPr/K8KmOSvCgEPI9eAnLs9aF2pUehxsMAVom/rQIgmf3\n" \
	"bVXXuJQ12BinolifHut5xI0xws6KNQJAPbOh90RLaDBZp8tegoldCXpvsagprGHl\n" \
	"iXtT20Kr9t6e+UeC+IgzxE5oePb0TMYDt5NBC9LudNlz/T9dLTcCcQJAAd5NfQAU\n" \
	"BFIhz6rHPnCBhA4cOUQy5STwBgfMehvFyXzXUkTpxS85sSBTmBpuF32hvFcOH4yF\n" \
	"88oiy8qBpQG1GQ==\n" \
	"-----END PRIVATE KEY-----\n"

static void rsa_keys_sign_and_verify(void **state)
{
	MODULE_RUN({"local p = require 'resty.openssl.pkey' local u = require "
		    "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
		    "]]) return require 'kong.tools.sha256'.sha256_hex(k:sign('hello', 'sha256'))",
				   "f12f4fe16565ff0f52abd584dde0604ab590efddb4b7e4e212d800b2f0f7c51"
				   "d"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) local pub = p.new(k:to_PEM('public')) local s = k:sign('hello') "
			 "return tostring(pub:verify(s, 'hello', 'sha256')) .. "
			 "tostring(pub:verify(s, 'hellO')) .. tostring(pub:verify('x', 'hello')) "
			 ".. tostring(pub:is_private())",
					"truefalsefalsefalse"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY "]]) local j = "
			 "p.new('{\"kty\":\"RSA\",\"n\":\"yiBMNnUxuf-"
			 "G6cTo4uxHcb2Yc062YMyeRp3cefB0T6iE2Vru_"
			 "2dLowtGt0YrbLHPmJjdUoLbxR0IDVKkRKki7zIqF64BiWhLX3tnpbh62hur_NI2KaGbyiLM_"
			 "RmqX1s-XRL9m4V6WufjHAHaKpAjlfJNke1OqvlKE6cb_AQ_HQU\",\"e\":\"AQAB\"}', { "
			 "format = 'JWK' }) return tostring(j:verify(k:sign('m', 'sha512'), 'm', "
			 "'sha512'))",
					"true"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) local s = k:sign('m', 'sha256', p.PADDINGS.RSA_PKCS1_PSS_PADDING) "
			 "return tostring(k:verify(s, 'm', 'sha256', 6)) .. tostring(k:verify(s, "
			 "'m', 'sha256'))",
					"truefalse"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) local d = require 'resty.openssl.digest'.new('sha256') "
			 "d:update('hel', 'lo') return tostring(k:verify(k:sign('hello'), d)) .. "
			 "k:get_key_type().sn",
					"truersaEncryption"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new(p.new([[" RSA_KEY
			 "]]):to_PEM('public')) return select(2, k:sign('m')) .. '; ' .. select(2, "
			 "k:to_PEM('private'))",
					"pkey:sign: not a private key; pkey:to_PEM: not a private "
					"key"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) return tostring(k:sign('m', 'no-such')) .. tostring(k:verify('s', "
			 "'m', 'no-such'))",
					"nilfalse"});
}

static void the_example_of_rfc_7515_for_es256_verifies(void **state)
{
	MODULE_RUN({"local p = require 'resty.openssl.pkey' local u = require "
		    "'ngx.base64'.decode_base64url local k = "
		    "p.new('{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
		    "tue659LNpXW6pCyStikYjKIWI5a0\"}') return "
		    "tostring(k:verify(u('DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
		    "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'), "
		    "'eyJhbGciOiJFUzI1NiJ9."
		    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc1"
		    "9yb290Ijp0cnVlfQ', nil, nil, { ecdsa_use_raw = true }))",
				   "true"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = "
			 "p.new('{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
			 "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
			 "tue659LNpXW6pCyStikYjKIWI5a0\"}') return "
			 "tostring(k:verify(u('DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
			 "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'), "
			 "'eyJhbGciOiJFUzI1NiJ9."
			 "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
			 "S9pc19yb290Ijp0cnVlfQx', nil, nil, { ecdsa_use_raw = true })) .. "
			 "tostring(k:verify('short', 'm', nil, nil, { ecdsa_use_raw = true }))",
					"falsefalse"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = "
			 "p.new('{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
			 "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
			 "tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-"
			 "0iY7X1fCE9-E9LI\"}') local s = k:sign('m', nil, nil, { ecdsa_use_raw = "
			 "true }) return #s .. tostring(k:verify(s, 'm', nil, nil, { ecdsa_use_raw "
			 "= true })) .. tostring(p.new(k:to_PEM('public')):verify(k:sign('m'), "
			 "'m'))",
					"64truetrue"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url return select(2, "
			 "p.new('{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
			 "\"f83PJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
			 "tue659LNpXW6pCyStikYjKIWI5a0\"}'))",
					"pkey.new: load_pkey: not a key in PEM, DER or JWK form"});
}

static void the_example_of_rfc_8037_for_eddsa(void **state)
{
	MODULE_RUN({"local p = require 'resty.openssl.pkey' local u = require "
		    "'ngx.base64'.decode_base64url local k = "
		    "p.new('{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		    "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}') return "
		    "tostring(k:verify(u('hgyY0il_MGCjP0JzlnLWG1PPOt7-"
		    "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg'), "
		    "'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc'))",
				   "true"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = "
			 "p.new('{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
			 "7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"nWGxne_"
			 "9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}') return require "
			 "'ngx.base64'.encode_base64url(k:sign('eyJhbGciOiJFZERTQSJ9."
			 "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc'))",
					"hgyY0il_MGCjP0JzlnLWG1PPOt7-"
					"09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
					"MuM0KAg"});
}

static void what_is_no_key_is_refused(void **state)
{
	MODULE_RUN({"local p = require 'resty.openssl.pkey' local u = require "
		    "'ngx.base64'.decode_base64url return select(2, p.new('junk')) .. '; ' .. "
		    "select(2, p.new(5)) .. '; ' .. select(2, p.new('k', 1))",
				   "pkey.new: load_pkey: not a key in PEM, DER or JWK form; "
				   "pkey.new: unexpected type number at #1; pkey.new: expect a "
				   "table at #2"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url return select(2, "
			 "p.new('{\"kty\":\"oct\",\"k\":\"AA\"}'))",
					"pkey.new: load_pkey: not a JWK of a known kind"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url p.sign({}, 'm')",
					"expect a pkey instance at #1"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) k.der = 'junk' return tostring(k:sign('m')) .. "
			 "tostring(k:verify('s', 'm'))",
					"nilfalse"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url p.new(('x'):rep(70000))",
					"a key of at most 65,536 bytes expected"},
			{"local p = require 'resty.openssl.pkey' local u = require "
			 "'ngx.base64'.decode_base64url local k = p.new([[" RSA_KEY
			 "]]) return select(2, k:sign(5)) .. '; ' .. select(2, k:verify(5, 'm'))",
					"pkey:sign: expect a string or a digest instance at #1; "
					"pkey:verify: expect a string at #1"});
}

static void digests_and_macs_match_the_published_vectors(void **state)
{
	MODULE_RUN({"local d = require 'resty.openssl.digest'.new('sha256') d:update('a', 'b') "
		    "return require 'resty.string'.to_hex(d:final('c'))",
				   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"
				   "d"},
			{"local h = require 'resty.openssl.hmac'.new('Jefe', 'sha512') "
			 "h:update('what do ya want for nothing?') return require "
			 "'resty.string'.to_hex(h:final()):sub(1, 32)",
					"164b7a7bfcf819e2e395fbe73b56e0a3"},
			{"local m = require 'resty.openssl.mac'.new('Jefe', 'HMAC', nil, 'sha256') "
			 "return require 'resty.string'.to_hex(m:final('what do ya want for "
			 "nothing?')):sub(1, 32)",
					"5bdcc146bf60754e6a042426089575c7"},
			{"return select(2, require 'resty.openssl.digest'.new('nope')) .. '; ' .. "
			 "select(2, require 'resty.openssl.hmac'.new(1)) .. '; ' .. select(2, "
			 "require 'resty.openssl.mac'.new('k', 'CMAC'))",
					"digest.new: invalid digest type \"nope\"; hmac.new: "
					"expect a string at #1; mac.new: \"CMAC\" is not "
					"available, or not with this key and cipher"},
			{"require 'resty.openssl.digest'.update({}, 'x')",
					"expect a digest instance at #1"},
			{"return #require 'resty.openssl.rand'.bytes(9) .. select(2, require "
			 "'resty.openssl.rand'.bytes('x'))",
					"9rand.bytes: expect a number at #1"});
}

static void keys_are_derived_as_published(void **state)
{
	MODULE_RUN({"local k = require 'resty.openssl.kdf' return require "
		    "'resty.string'.to_hex(k.derive({ type = k.PBKDF2, pass = 'password', salt = "
		    "'salt', pbkdf2_iter = 4096, md = 'sha1', outlen = 20 }))",
				   "4b007901b765489abead49d926f721d065a429c1"},
			{"local k = require 'resty.openssl.kdf' return require "
			 "'resty.string'.to_hex(k.derive({ type = k.HKDF, md = 'sha256', hkdf_key "
			 "= ('\\11'):rep(22), salt = '\\0\\1\\2\\3\\4\\5\\6\\7\\8\\9\\10\\11\\12', "
			 "hkdf_info = '\\240\\241\\242\\243\\244\\245\\246\\247\\248\\249', outlen "
			 "= 42 }))",
					"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ec"
					"c4c5bf34007208d5b887185865"},
			{"local k = require 'resty.openssl.kdf' k.derive({ type = k.PBKDF2, pass = "
			 "'p', pbkdf2_iter = 1e6, outlen = 20 })",
					"too much work"},
			{"local k = require 'resty.openssl.kdf' return select(2, k.derive({ type = "
			 "k.PBKDF2, pass = 'p', md = 'no', outlen = 1 })) .. select(2, "
			 "k.derive(1))",
					"kdf.derive: invalid digest typekdf.derive: expect a table "
					"at #1"},
			{"local k = require 'resty.openssl.kdf' return select(2, k.derive({ type = "
			 "5, outlen = 1 }))",
					"kdf.derive: only PBKDF2, HKDF and SCRYPT are available"});
}

/* NIST SP 800-38A, F.2.1 and F.5.5, first blocks. */
static void aes_matches_the_published_vectors(void **state)
{
	MODULE_RUN({"local a = require 'resty.aes' local x = "
		    "a:new('+~\\21\\22(\\174\\210\\166\\171\\247\\21\\136\\9\\207O<', nil, "
		    "a.cipher(128, 'cbc'), { iv = "
		    "'\\0\\1\\2\\3\\4\\5\\6\\7\\8\\9\\10\\11\\12\\13\\14\\15', enable_padding = "
		    "false }) return require "
		    "'resty.string'.to_hex(x:encrypt('k\\193\\190\\226.@\\159\\150\\233=~"
		    "\\17s\\147\\23*'))",
				   "7649abac8119b246cee98e9b12e9197d"},
			{"local a = require 'resty.aes' local x = a:new(('k'):rep(32), nil, "
			 "a.cipher(256, 'cbc'), { iv = ('i'):rep(16) }) return "
			 "x:decrypt(x:encrypt('some text')) .. tostring(x:decrypt('short'))",
					"some textnil"},
			{"local a = require 'resty.aes' return select(2, a:new('k', nil, nil, { iv "
			 "= ('i'):rep(16) })) .. '; ' .. select(2, a:new(('k'):rep(16)))",
					"bad key length; bad iv"},
			{"local a = require 'resty.aes' return tostring(a.cipher(100)) .. "
			 "tostring(a.cipher(128, 'xts'))",
					"nilnil"},
			{"require 'resty.aes'.encrypt({}, 'x')", "not an aes object"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(rsa_keys_sign_and_verify),
			cmocka_unit_test(the_example_of_rfc_7515_for_es256_verifies),
			cmocka_unit_test(the_example_of_rfc_8037_for_eddsa),
			cmocka_unit_test(what_is_no_key_is_refused),
			cmocka_unit_test(digests_and_macs_match_the_published_vectors),
			cmocka_unit_test(keys_are_derived_as_published),
			cmocka_unit_test(aes_matches_the_published_vectors),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
