/* SPDX-License-Identifier: Apache-2.0
 *
 * kong.jwe against tokens made elsewhere, against itself, and against tokens that were changed.
 */
#include "tests/unit/pdk_rows.h"

/* Made by another program (python cryptography 38). */
#define RSA_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQCssnq/608/pibU\n" \
	"YWw+gD4kzISEKqPCYpJJW1FzH/TCYuaq/EO/iue2UZJwJvk5nba4GOF6kJX4QytF\n" \
	"EfaAFv+ixyLeFaiPzf8DapMvzTq3btERDdC/uc2TO8nS5uMhAm3gwiu97iM+RYLi\n" \
	"5c86OYTSJoT/mYzXW5aRh6FgKxirYvn/N7yCrcxDlCCA3XGQ4m1l2lEiC3Kgo75R\n" \
	"/uVi+gnmbfptMmPzvNmbFv+2V7sSTC2jUWIuyK7nhQjjswCaALcWD4Rvj1bEqF1d\n" \
	"BmvVgehS9TK59ZN7d1QpCewSORMz0UlP1W7zWyBmdbIhl8rYy3v1aUOPfJ3/3vMw\n" \
	"+NyKvD5FAgMBAAECggEAAs+/H0QEWRkPNONJh7ZD9pRxkQEKA9BX99dXOvKZho1R\n" \
	"rjzne4elEGsU5i1Uj/PkwvWzWjDewHkdeFtgmpuCyH2dME0OivIuzflqG0qPkkAy\n" \
	"+FRHk6y3wymoYqB3EzBACDFqSsZE5TFPPkmF/++R040uQdp6i+pRKoCOosPhdv4w\n" \
	"Q+7AGy+XdrjCW/A5siFrhrRrGEhfhWLHcwYbLRlTGCmSYjriORMQscJipWm6hdwo\n" \
	"JVm+tcCN04CrKhaxtrcVPpNIbi2RYjekU6yWOHPxjAyyvN7J0gRH5efDukGBcIau\n" \
	"Gkhy2KRQ07/YJEgMoN8fw+Zc72xHEYvqfQdQCvva8QKBgQDUvPCar2QtYl/Mwgf8\n" \
	"sfSgn9lEF4/epN/Gs1yTydyL/IpODrJ82Jx9Od2hdK0ye+YN3OP/mgxueNNEYHco\n" \
	"Vtq4JMLu49CFRG16xOjzqhnijswj+o9Nd4MyKeL2qs2lFlu9EomfsBu+v095z7LI\n" \
	"pVX0UuHKD8Zhkhgq+wWy6Sg5lQKBgQDP0QcoAVOgDOOKeR286hq35rV+1+HHXD7W\n" \
	"LCpr9eWu1h+xYa3inyzpW5bpTFdU+/N6fjMobKYFKdHRuwVe8wHUjjd2sOBOpdWL\n" \
	"/2WXaEdnoVtOcamdCP26SiF1etXpPeaJdOrJzQQkhbcapL9PKDMrAPu1cUO2vhON\n" \
	"yQm9vX2l8QKBgQCAjROPRYDxc8qT/oO5DQfXsAAoB1zmmxamCWhd3dMpvBcPCA6P\n" \
	"Jo2Zlkf48npeUUQ5CEu1/q6YauavIOOgOqu8Lmqk1IECptDJKQfjhdxSbRuqehPy\n" \
	"Kc/bljgR+jB+G76fx/3lwxNg9lXeM8XDPTVtiE/sPBASkaeNAVb2P7IQ6QKBgQCa\n" \
	"wNqmZM6EOfTbsjN98Yrx9WCkU1izX7L/RCZW/OcMGjHBoq6dOtFz+RtZIdtK0tBO\n" \
	"IFoyOS4sXCb+Gln2idmMElelEDQI/R8XwJlDdYju186pjKS05vQi3H8r/8v5g3oA\n" \
	"VEte+UejdtuSgKph5NqtpG7Mf8rf842WIOYbIFfH0QKBgQCzO/GX6u7cYTzBsxz2\n" \
	"7a6JA7EjlkapEQp+802pK0t/+V52P6cUNz1q28cx1mOPDq0r8mqgvQQRI0jM5m+z\n" \
	"6kQ2IlK+8K+eOvNM5U20FZ+7HjYFk1Szgz2EYci73jXaLCL8n0qFz2TcRqx6dBqU\n" \
	"8lr+CPg5HUKVYdNYVgtB0vlSDw==\n" \
	"-----END PRIVATE KEY-----\n"
#define EC_JWK \
	"{\"kty\":\"EC\",\"crv\":\"P-256\"," \
	"\"x\":\"uxApsu9gbhmR6PkgCuQlfhFUIGZ3G242ZEds4GgC-tQ\"," \
	"\"y\":\"5csiaz9m6shFEs57wVUFPQgXHEbYEOz4UWk-bF8ug0s\"," \
	"\"d\":\"-yD_KzF75r9GZNJlbaKpN_aiUdKMnOHXE3MUM0I2EAk\"}"
#define BY_RSA \
	"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.PuCCLk4hRhnpWdAaoVUmrt3" \
	"plusR0U-rT9UQAOcHbu6_X7CtNHmcc4G-eBHlCVHqzem5oidk1raEKfUdsI2ZyD18zRv2V" \
	"grtRqYfSvKv7f-CaoGaYXprJF6hT3jIfsmF6Q10fo1gdsYAaR7pW1qH3rq_YX2R0OeYKde" \
	"unWedYEheyNYF1c-o2RcDOu9fqmmo5iHVhsuY19ua3qpAUq_eCWbTd9uJrbZygJB-PHnJg" \
	"PO9Vt5hb2ba9o3kR-aUxgvFRhf1igVWigeRgBeAwbhroig8A3PzcMTcOmj0GiJbuGAFq0e" \
	"4e1wApCsXkZzWzG83YhEOQizSEriSR_QOZTJ-8g.qupAm08PhkXmXD6u.BcHqaUsgs9q7G" \
	"wFJeXE.p3c35iBqmRxSxumknWUAHw"
#define BY_RSA_256 \
	"eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0.DTGuarjV_u" \
	"vYF0jg8v4IwYQK61tbZ9QnNEXzDMGo2zmc14_KELxN4bXU9s4hx-yGNUSijqTKV4TIr22x" \
	"kcXuc072KMSsO8NFoBugyaiwD00OPsP4gvMOrzf5RK4gmOWn_utTDp29GfbD72OiTiP73-" \
	"DYoh3NCxpqqI_PztAvJ9GhV-Bhxh_UGuDtlLFtKcI5u9LDpFgIfEkO3XpXjtz61CtnBazC" \
	"yOcDwpV2Dec-CzJsqZv2tpCRItgjk1cf_8CjNtKhnHzf3bWx7qm5eDzsA9mz7gah3J6IvP" \
	"v-J0kVx-sasuhEM6SefzI59x_MfJLpwsM24gzlN0lDhJyS667-sg.2CHVbEr5z0-lbgsmI" \
	"od5UA.U5udRDs8_agkqwhn-Y7kEQ.xjDh6C9Xg1kssNCtPxeO5owCatQTLru9DHLFyeX-I" \
	"FU"
#define BY_EC \
	"eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOEdDTSIsImVwayI6eyJrdHkiOiJFQyIsIm" \
	"NydiI6IlAtMjU2IiwieCI6IlB4R3ZLeWRVNGlzem10NXcxT1NKNVJGbGZVRk10LXJvdWgw" \
	"TVF3WEVJVHciLCJ5IjoiQldxUGlyd3dMaGJPLUlnWGVCZUtHWFdqc3RkN3JMZm9UQmVCSF" \
	"E2aGpRNCJ9LCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW05aSJ9..BUxtYuypPVDz7aTE.2" \
	"4gNSgtX3otwvhgKIdg.27bYviSVBn9IFDYQZkuH1Q"
#define BY_EC_KW \
	"eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkExOTJDQkMtSFMzODQiLCJlcGsiOn" \
	"sia3R5IjoiRUMiLCJjcnYiOiJQLTI1NiIsIngiOiJDNDNta01xTjE2NGF4QW4ybzFhcmxJ" \
	"REFXdTU0b1M1MVY3WlJKc0NxWEVRIiwieSI6Ik9SR2pKSmJPVGhLdDNYcUltdHdRYU4zTn" \
	"dpendRYWprQ3Z6S3Q1VTkzU0UifX0.gmNjPwbDNaVl39wQ42xTBrhy6VlyRmGoutEuxii8" \
	"lSeXxsaEoWyRebnt7EOmq1JA1wPD_12g6PQ.JpgkaNqHHhUStvfdHuRvLQ.Hr2w2D1se-V" \
	"_0ywWYurP3Q._hQXGMu53roDJLwsSITLYCjn1Se2oJ2t"
/* RFC 7516, A.3 */
#define BY_AES \
	"eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0." \
	"6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ." \
	"AxY8DCtDaGlsbGljb3RoZQ." \
	"KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY." \
	"U0m_YmjN04DJvceFICbCVQ"
#define AES_JWK "{\"kty\":\"oct\",\"k\":\"GawgguFyGrWKav7AX4VKUg\"}"

static const char keys[] = "local PEM, EC, AES = [[" RSA_PEM "]], '" EC_JWK "', '" AES_JWK "' "
			   "local jwe, json = kong.jwe, require('cjson') ";

static void tokens_of_others_are_read(void **state)
{
	static const struct pdk_row rows[] = {
			{"jwe.decrypt(AES, '" BY_AES "')", "Live long and prosper."},
			{"jwe.decrypt(json.decode(AES), '" BY_AES "')", "Live long and prosper."},
			{"jwe.decrypt(ngx.decode_base64('GawgguFyGrWKav7AX4VKUg=='), '" BY_AES "')",
					"Live long and prosper."},
			{"jwe.decrypt(PEM, '" BY_RSA "')", "from elsewhere"},
			{"jwe.decrypt(PEM, '" BY_RSA_256 "')", "from elsewhere"},
			{"jwe.decrypt(EC, '" BY_EC "')", "from elsewhere"},
			{"jwe.decrypt(json.decode(EC), '" BY_EC_KW "')", "from elsewhere"},
			{"jwe.decode('" BY_AES "').protected.alg, #jwe.decode('" BY_AES
			 "').encrypted_key",
					"A128KW, 40"},
			{"#jwe.decode('" BY_AES "').iv, #jwe.decode('" BY_AES "').tag, "
			 "#jwe.decode('" BY_AES "').ciphertext, #jwe.decode('" BY_AES "')[6]",
					"16, 16, 32, 51"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", keys, rows);
}

#define WRONG "nil, the token was not made with this key, or was changed"

static void what_was_written_can_be_read_and_a_changed_one_cannot(void **state)
{
	static const struct pdk_row rows[] = {
			{"(function() local n = 0 for _, enc in ipairs{'A128GCM', 'A192GCM', "
			 "'A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'} do "
			 "for _, k in ipairs{{'RSA-OAEP', PEM}, {'RSA-OAEP-256', PEM}, "
			 "{'ECDH-ES', EC}, {'ECDH-ES+A128KW', EC}, {'ECDH-ES+A192KW', EC}, "
			 "{'ECDH-ES+A256KW', EC}, {'A128KW', AES}, {'A192KW', ('k'):rep(24)}, "
			 "{'A256KW', ('k'):rep(32)}} do "
			 "local token = assert(jwe.encrypt(k[1], enc, k[2], 'hidden ' .. enc)) "
			 "assert(jwe.decrypt(k[2], token) == 'hidden ' .. enc, k[1]) "
			 "n = n + 1 end end return n end)()",
					"54"},
			{"jwe.decrypt(('k'):rep(16), jwe.encrypt('dir', 'A128GCM', ('k'):rep(16), "
			 "''))",
					""},
			{"#jwe.decrypt(AES, jwe.encrypt('A128KW', 'A128CBC-HS256', AES, "
			 "('x'):rep(100000)))",
					"100000"},
			{"jwe.decode(jwe.encrypt('ECDH-ES', 'A128GCM', EC, 'x', {apu = 'QQ', kid = "
			 "'k1'})).protected.kid",
					"k1"},
			{"jwe.decrypt(EC, jwe.encrypt('ECDH-ES', 'A128GCM', EC, 'x', {apu = "
			 "'QQ'}))",
					"x"},
			{"(function() local token, n = '" BY_AES "', 0 for i = 1, #token do "
			 "local c = token:sub(i, i) local other = c == 'A' and 'B' or 'A' "
			 "if c ~= '.' and jwe.decrypt(AES, token:sub(1, i - 1) .. other .. "
			 "token:sub(i + 1)) ~= nil then n = n + 1 end end "
			 "return n <= 5 end)()",
					"true"},
			{"jwe.decrypt(('x'):rep(16), '" BY_AES "')", WRONG},
			{"jwe.decrypt(PEM, (('" BY_RSA "'):gsub('^([^.]*)%.(.)', function(h, c) "
			 "return h .. '.' .. (c == 'A' and 'B' or 'A') end)))",
					WRONG},
			{"jwe.decrypt(EC, '" BY_RSA "')",
					"nil, the key is not of the algorithm's kind"},
			{"jwe.decrypt(PEM, '" BY_AES "')", "nil, a secret of 16 bytes, or a JWK "
							   "that holds it, expected"},
			{"jwe.decrypt('short', '" BY_AES "')",
					"nil, the secret has 5 bytes, 16 are needed"},
			{"jwe.decrypt('nonsense', '" BY_RSA "')",
					"nil, a key in PEM or JWK form expected"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", keys, rows);
}

static void what_is_no_token_or_not_supported_says_so(void **state)
{
#define FORM "nil, not a JWE in the compact form"
	static const struct pdk_row rows[] = {
			{"jwe.decode('')", FORM},
			{"jwe.decode('a.b.c')", FORM},
			{"jwe.decode('" BY_AES ".x')", FORM},
			{"jwe.decode(('a'):rep(2000000) .. '.a.a.a.a')", FORM},
			{"jwe.decode('YQ.YQ.YQ.YQ.YQ')", "nil, the header is no JSON object"},
			{"jwe.encrypt('RSA1_5', 'A128GCM', PEM, 'x')",
					"nil, unsupported alg: RSA1_5"},
			{"jwe.encrypt('none', 'A128GCM', PEM, 'x')", "nil, unsupported alg: none"},
			{"jwe.encrypt('dir', 'none', PEM, 'x')", "nil, unsupported enc: none"},
			{"jwe.encrypt('dir', 'A128GCM', ('k'):rep(16), 'x', {zip = 'DEF'})",
					"nil, zip and crit are not supported"},
			{"jwe.encrypt('dir', 'A128GCM', 'k', 'x')",
					"nil, the secret has 1 bytes, 16 are needed"},
			{"jwe.decrypt(EC, (function() local h = "
			 "ngx.encode_base64(json.encode{alg = 'ECDH-ES', enc = 'A128GCM'}, true) "
			 "return h .. '..YWFhYWFhYWFhYWFh.YQ.YWFhYWFhYWFhYWFhYWFhYQ' end)())",
					"nil, the token has no public key of its sender (epk)"},
			{"jwe.decrypt(EC, (function() local h = "
			 "ngx.encode_base64(json.encode{alg = {}, enc = 'A128GCM'}, true) "
			 "return h .. '..YWFhYWFhYWFhYWFh.YQ.YWFhYWFhYWFhYWFhYWFhYQ' end)())",
					"nil, unsupported alg: table"},
			{"jwe.encrypt('dir', 'A128GCM', 'k', 1)", "! plaintext must be a string"},
			{"jwe.encrypt('dir', 'A128GCM', 'k', 'x', 1)", "! options must be a table"},
			{"jwe.decrypt(EC, 1)", "! token must be a string"},
			{"jwe.decrypt(1, 'x')", "! key must be a string or a table"},
			{"(function() kong.jwe.decrypt = print end)()",
					"! Cannot modify kong.jwe.decrypt. Protected by the "
					"sandbox."},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", keys, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(tokens_of_others_are_read),
			BENCH_TEST(what_was_written_can_be_read_and_a_changed_one_cannot),
			BENCH_TEST(what_is_no_token_or_not_supported_says_so),
	};

	return cmocka_run_group_tests_name("pdk_jwe", tests, bench_process, NULL);
}
