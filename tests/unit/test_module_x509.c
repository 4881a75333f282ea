/* SPDX-License-Identifier: Apache-2.0
 * resty.openssl.x509 and what belongs to it: each row is a program and the text it must return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/module_rows.h"
#include "tests/unit/x509_case.h"

#define X "local x509 = require 'resty.openssl.x509' "
#define LEAF X "local c = x509.new([[" X509_LEAF "]]) "
#define STORE \
	LEAF "local store = require 'resty.openssl.x509.store'.new() " \
	     "store:add(x509.new([[" X509_CA "]])) "

static void a_certificate_says_what_openssl_says(void **state)
{
	MODULE_RUN({LEAF "return c:get_version() .. ' ' .. tostring(c:get_serial_number()) .. ' ' "
			 ".. "
			 "tostring(c:get_subject_name()) .. ' ' .. tostring(c:get_issuer_name())",
				   "3 1 C=AT/CN=a.example/O=Test C=AT/CN=Test CA/O=Test"},
			{LEAF "return c:get_not_before() .. ' ' .. c:get_not_after() .. ' ' .. "
			      "c:get_signature_name() .. ' ' .. c:get_signature_digest_name()",
					"1577836800 4733510400 ecdsa-with-SHA256 SHA256"},
			{LEAF "return require 'resty.string'.to_hex(c:digest('sha256'))",
					"efe085129b2ed695b51ad85482f8642d0fe8f643cf68a19c34e39aa830"
					"2a64c7"},
			{LEAF "return tostring(c:to_PEM() == [[" X509_LEAF "]]) .. "
			      "tostring(x509.new(c:tostring('DER')):to_PEM() == c:to_PEM()) .. "
			      "#c:pubkey_digest('sha1')",
					"truetrue20"},
			{LEAF "local out = '' for k, v in c:get_subject_alt_name():each() do out = "
			      "out .. k .. ':' .. v .. ' ' end return out",
					"DNS:a.example IP:192.0.2.1 IP:2001:db8::1 "
					"URI:https://a.example/ RFC822Name:a@a.example "},
			{LEAF "return c:get_ocsp_url() .. ' ' .. c:get_crl_url() .. ' ' .. "
			      "tostring(c:get_basic_constraints('ca')) .. ' ' .. "
			      "c:get_extension('extendedKeyUsage'):text() .. ' ' .. "
			      "#c:get_extensions()",
					"http://ocsp.example/ http://crl.example/a.crl false TLS "
					"Web Server Authentication 7"},
			{X "local c = x509.new([[" X509_CA
			   "]]) local b = c:get_basic_constraints() "
			   "return tostring(b.ca) .. b.pathlen .. "
			   "tostring(c:get_extension_critical('keyUsage')) .. "
			   "c:get_extension('2.5.29.15'):get_object().sn",
					"true1truekeyUsage"},
			{LEAF "local n = c:get_subject_name() local e, i = n:find('CN') return "
			      "e.blob "
			      ".. i .. n:count() .. tostring(n:find('L')) .. n[1].sn",
					"a.example13nilCN"});
}

static void a_chain_that_would_take_too_long_is_not_begun(void **state)
{
	MODULE_RUN_IN(300,
			{
					LEAF
					"local ca, l = x509.new([[" X509_SLOW_CA
					"]]), require('resty.openssl.x509.crl').new([[" X509_CRL
					"]]) local s, between = "
					"require('resty.openssl.x509.store').new(), "
					"require('resty.openssl.x509.chain').new() for i = 1, 64 "
					"do s:add(ca) "
					"s:add(l) between:add(ca) end local r, why = s:verify(c, "
					"between) return "
					"tostring(r) .. why",
					"nilit would take more CPU time than is left "
					"(plugin_limits_cpu_ms)",
			},
			{LEAF "local s = require('resty.openssl.x509.store').new() "
			      "s:add(x509.new([[" X509_CA "]])) return tostring(s:verify(c))",
					"true"});
}

static void keys_and_signatures_belong_together(void **state)
{
	MODULE_RUN({LEAF "local ca = x509.new([[" X509_CA "]]) return "
			 "tostring(c:verify(ca:get_pubkey())) .. "
			 "tostring(c:verify(c:get_pubkey())) "
			 ".. tostring(ca:verify(ca:get_pubkey()))",
				   "truefalsetrue"},
			{LEAF "local p = require 'resty.openssl.pkey' local k = "
			      "p.new([[" X509_LEAF_KEY
			      "]]) return tostring(c:check_private_key(k)) .. "
			      "tostring(c:check_private_key(p.new({ type = 'EC' }))) .. "
			      "tostring(c:get_pubkey():verify(k:sign('m'), 'm'))",
					"truefalsetrue"},
			{"local r = require 'resty.openssl.x509.csr'.new([[" X509_CSR
			 "]]) return tostring(r:get_subject_name()) .. ' ' .. "
			 "tostring(r:verify(r:get_pubkey())) .. ' ' .. "
			 "r:get_subject_alt_name()[1][2] .. ' ' .. #r:get_extensions()",
					"C=AT/CN=a.example/O=Test true a.example 5"});
}

static void a_store_trusts_what_it_was_given_and_no_more(void **state)
{
	MODULE_RUN({STORE "return tostring(store:verify(c)) .. #store:verify(c, nil, true):all()",
				   "true2"},
			{LEAF "local s = require 'resty.openssl.x509.store'.new() return "
			      "select(2, s:verify(c))",
					"unable to get local issuer certificate"},
			{STORE "return select(2, store:verify(c, nil, false, nil, 'sslclient'))",
					"unsuitable certificate purpose"},
			{STORE "return tostring(store:verify(c, nil, false, nil, 'sslserver'))",
					"true"},
			{STORE "local f = store.verify_flags store:add(require "
			       "'resty.openssl.x509.crl'.new([[" X509_CRL
			       "]])) store:set_flags(f.X509_V_FLAG_CRL_CHECK) return "
			       "tostring(store:verify(c)) .. select(2, "
			       "store:verify(x509.new([[" X509_REVOKED "]])))",
					"truecertificate revoked"},
			{STORE "local f = store.verify_flags "
			       "store:set_flags(f.X509_V_FLAG_CRL_CHECK) return select(2, "
			       "store:verify(c))",
					"unable to get certificate CRL"},
			{STORE "return select(2, store:load_file('/etc/passwd')) .. '; ' .. "
			       "select(2, "
			       "store:add('x')) .. '; ' .. select(2, store:verify('x'))",
					"x509.store:load_file: plugins have no files: "
					"add(certificate) instead; x509.store:add: expect a x509 "
					"or "
					"crl instance at #1; x509.store:verify: expect a x509 "
					"instance at #1"},
			{STORE "for i = 1, 65 do store:add(c) end store:verify(c)",
					"at most 64 certificates of a kind"});
}

static void a_revocation_list_says_what_is_revoked(void **state)
{
	MODULE_RUN({"local l = require 'resty.openssl.x509.crl'.new([[" X509_CRL
		    "]]) local r = l:get_by_serial(2) return l:count() .. "
		    "tostring(l:get_issuer_name()) .. r.reason .. tostring(l:get_by_serial(1)) .. "
		    "l:get_last_update()",
				   "1C=AT/CN=Test CA/O=Test1nil1577836800"},
			{X "local l = require 'resty.openssl.x509.crl'.new([[" X509_CRL
			   "]]) return tostring(l:verify(x509.new([[" X509_CA
			   "]]):get_pubkey())) .. tostring(l:verify(x509.new([[" X509_LEAF
			   "]]):get_pubkey()))",
					"truefalse"});
}

static void encrypted_keys_open_with_their_passphrase_unless_that_takes_long(void **state)
{
	MODULE_RUN({"local p = require 'resty.openssl.pkey' local k = p.new([[" X509_LEAF_KEY_SECRET
		    "]], { passphrase = 'secret' }) return tostring(k:to_PEM('private') == "
		    "p.new([[" X509_LEAF_KEY
		    "]]):to_PEM('private')) .. tostring(p.new([[" X509_LEAF_KEY_SECRET
		    "]], { passphrase = 'other' })) .. "
		    "tostring(p.new([[" X509_LEAF_KEY_SECRET "]]))",
				   "truenilnil"},
			{"local p = require 'resty.openssl.pkey' return "
			 "tostring(p.new([[" X509_LEAF_KEY_SLOW "]], { passphrase = 'secret' }))",
					"nil"});
}

static void truncated_changed_and_foreign_input_is_refused(void **state)
{
	MODULE_RUN({LEAF "local der, bad = c:tostring('DER'), 0 for i = 1, #der - 1 do if "
			 "x509.new(der:sub(1, i)) then bad = bad + 1 end end return bad",
				   "0"},
			{LEAF "local der, n = c:tostring('DER'), 0 for i = 1, #der do local x = "
			      "x509.new(der:sub(1, i - 1) .. string.char((der:byte(i) + 1) % 256) "
			      ".. "
			      "der:sub(i + 1)) if x then n = n + 1 x:get_subject_name() "
			      "x:get_pubkey() x:get_extensions() x:get_subject_alt_name() "
			      "if x:verify(x509.new([[" X509_CA
			      "]]):get_pubkey()) then return i end "
			      "end end return n > 100 and 'none verified'",
					"none verified"},
			{X "return select(2, x509.new('junk')) .. '; ' .. select(2, x509.new(5)) "
			   ".. "
			   "'; ' .. select(2, x509.new('x', 'TXT')) .. '; ' .. select(2, "
			   "x509.new([[" X509_CSR "]]))",
					"x509.new: not a certificate in PEM or DER form; x509.new: "
					"expect a string at #1; x509.new: expect PEM, DER or * at "
					"#2; x509.new: not a certificate in PEM or DER form"},
			{X "return tostring(x509.new(('0'):rep(70000)))", "nil"},
			{X "x509.get_subject_name({})", "expect a x509 instance at #1"},
			{LEAF "c.der = 'junk' return tostring(c:verify(c:get_pubkey()))", "false"},
			{"local n = require 'resty.openssl.x509.name'.new() return select(2, "
			 "n:add('no such', 'x')) .. tostring(n:add('CN', 'a'):find('CN').blob)",
					"x509.name:add: expect an attribute at #1 and a string at "
					"#2a"},
			{"local o = require 'resty.openssl.objects' return o.txt2nid('CN') .. "
			 "o.nid2table(13).ln .. o.txt2nid('none such') .. "
			 "require 'resty.openssl.asn1'.asn1_to_unix('20200101000000Z') .. "
			 "tostring(require 'resty.openssl.asn1'.asn1_to_unix('x'))",
					"13commonName01577836800nil"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_certificate_says_what_openssl_says),
			cmocka_unit_test(a_chain_that_would_take_too_long_is_not_begun),
			cmocka_unit_test(keys_and_signatures_belong_together),
			cmocka_unit_test(a_store_trusts_what_it_was_given_and_no_more),
			cmocka_unit_test(a_revocation_list_says_what_is_revoked),
			cmocka_unit_test(
					encrypted_keys_open_with_their_passphrase_unless_that_takes_long),
			cmocka_unit_test(truncated_changed_and_foreign_input_is_refused),
	};

	return cmocka_run_group_tests(tests, module_rows_start, NULL);
}
