/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/typedefs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/key_case.h"
#include "tests/unit/schema_case.h"

struct row {
	const char *name, *value, *want; /* want: NULL = accepted, else the message */
};

static void run_rows(const struct row *rows, size_t n)
{
	unsigned n_wrong = 0;

	for (size_t i = 0; i < n; i++) {
		char members[256], input[4096], want[1024];
		char *have;

		snprintf(members, sizeof(members), "'fields':[{'a':{'typedef':'%s'}}]",
				rows[i].name);
		snprintf(input, sizeof(input), "{'a':%s}", rows[i].value);
		snprintf(want, sizeof(want), "schema violation (%s%s)",
				rows[i].want != NULL && strncmp(rows[i].want, "a.", 2) == 0 ? ""
											    : "a: ",
				rows[i].want != NULL ? rows[i].want : "");
		have = outcome(members, input);
		if (rows[i].want == NULL ? have[0] != '{' : strcmp(have, want) != 0)
			print_error("%s of %s: %s\n", rows[i].name, rows[i].value, have);
		n_wrong += rows[i].want == NULL ? have[0] != '{' : strcmp(have, want) != 0;
		free(have);
	}
	assert_int_equal(n_wrong, 0);
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void every_definition_is_a_good_field(void **state)
{
	(void)state;
	for (size_t i = 0; typedef_name(i) != NULL; i++) {
		char members[256];
		char *text = NULL;
		struct schema *s;

		snprintf(members, sizeof(members), "'fields':[{'a':{'typedef':'%s'}}]",
				typedef_name(i));
		s = schema_of(members, &text);
		if (s == NULL)
			print_error("%s: %s\n", typedef_name(i), text);
		assert_non_null(s);
		schema_free(s);
	}
}

static void hosts_and_addresses(void **state)
{
	static const struct row rows[] = {
			{"host", "'example.com'", NULL},
			{"host", "'a_b-c.d'", NULL},
			{"host", "'10.0.0.1'", NULL},
			{"host", "'[::1]'", NULL},
			{"host", "'::1'", NULL},
			{"host", "'a:80'", "must not have a port"},
			{"host", "'[::1]:80'", "must not have a port"},
			{"host", "'999.0.0.1'", "invalid value: 999.0.0.1"},
			{"host", "'a..b'", "invalid value: a..b"},
			{"host", "'-a'", "invalid value: -a"},
			{"host", "'a b'", "invalid value: a b"},
			{"host", "'[::1'", "invalid value: [::1"},
			{"host", "'[]'", "invalid value: []"},
			{"host", "'['", "invalid value: ["},
			{"host_with_optional_port", "'a:80'", NULL},
			{"host_with_optional_port", "'a:99999'", "invalid port number"},
			{"wildcard_host", "'*.a.com'", NULL},
			{"wildcard_host", "'a.*'", NULL},
			{"wildcard_host", "'a.*.com'",
					"wildcard must be leftmost or rightmost character"},
			{"wildcard_host", "'*.a.*'", "only one wildcard must be specified"},
			{"wildcard_host", "'10.0.0.1'", "must not be an IP"},
			{"sni", "'a.com'", NULL},
			{"sni", "'10.0.0.1'", "must not be an IP"},
			{"sni", "'a:1'", "must not have a port"},
			{"ip", "'1.2.3.4'", NULL},
			{"ip", "'::'", NULL},
			{"ip", "'1.2.3'", "not an ip address: 1.2.3"},
			{"ip_or_cidr", "'10.0.0.0/8'", NULL},
			{"ip_or_cidr", "'::/128'", NULL},
			{"ip_or_cidr", "'10.0.0.0/33'", "invalid ip or cidr range: '10.0.0.0/33'"},
			{"ip_or_cidr", "'10.0.0.0/'", "invalid ip or cidr range: '10.0.0.0/'"},
			{"cidr", "'10.0.0.0/8'", NULL},
			{"cidr_v4", "'::/8'", "invalid ipv4 cidr range: '::/8'"},
			{"port", "65536", "value should be between 0 and 65535"},
			{"hosts", "['*.a', 'b.*', 'c:80']", NULL},
	};

	(void)state;
	RUN(rows);
}

static void paths_and_urls(void **state)
{
	static const struct row rows[] = {
			{"path", "'/a/b%20c'", NULL},
			{"path", "'a'", "should start with: /"},
			{"path", "'/a//b'", "must not have empty segments"},
			{"path", "'/a b'",
					"invalid path: '/a b' (characters outside of the reserved "
					"list of "
					"RFC 3986 found)"},
			{"path", "'/a%2'", "invalid url-encoded value: '%2'"},
			{"path", "'/a%zz/b'", "invalid url-encoded value: '%zz'"},
			{"router_path", "'/a'", NULL},
			{"router_path", "'~/a/(?<x>[0-9]+)$'", NULL},
			{"router_path", "'a'",
					"should start with: / (fixed path) or ~/ (regex path)"},
			{"router_path", "'/a/../b'",
					"non-normalized path, consider use '/b' instead"},
			{"router_path", "'~/('",
					"invalid regex: '/(' (PCRE returned: missing closing "
					"parenthesis at "
					"offset 2)"},
			{"url", "'http://a/b'", NULL},
			{"url", "'a'", "missing host in url"},
			{"url", "'http://'", "missing host in url"},
			{"url", "'//a'", "missing scheme in url"},
	};

	(void)state;
	RUN(rows);
}

static void names_and_tags(void **state)
{
	static const struct row rows[] = {
			{"name", "'a.b-c_d~1'", NULL},
			{"name", "'a b'",
					"invalid value 'a b': it must only contain alphanumeric "
					"and '., -, "
					"_, ~' characters"},
			{"utf8_name", "'\xc3\xa9t\xc3\xa9'", NULL},
			{"tag", "'a b'", NULL},
			{"tag", "'a,b'",
					"invalid tag 'a,b': expected printable ascii (except `,` "
					"and `/`) "
					"or valid utf-8 sequences"},
			{"http_method", "'GET'", NULL},
			{"http_method", "'get'", "invalid value: get"},
			{"semantic_version", "'1.2.3'", NULL},
			{"semantic_version", "'1.2'",
					"invalid version number: must be in format of X.Y.Z"},
			{"no_consumer", "{'id':'x'}", "value must be null"},
			{"no_consumer", "null", NULL},
			{"key", "'x'", "invalid key: unsupported"},
			{"sources", "[{'ip':'10.0.0.0/8'},{'port':80}]", NULL},
			{"queue", "{}", NULL},
			{"headers", "{'x-a':['1']}", NULL},
	};

	(void)state;
	RUN(rows);
}

#define JWK(members) "{'kid':'k'," members "}"

static void numbers_sets_and_records(void **state)
{
	static const struct row rows[] = {
			{"port", "0", NULL},
			{"port", "-1", "value should be between 0 and 65535"},
			{"port", "1.5", "expected an integer"},
			{"timeout", "0", NULL},
			{"timeout", "2147483647", "value should be between 0 and 2147483646"},
			{"ttl", "1e9", "value should be between 0 and 100000000"},
			{"ttl", "0.5", NULL},
			{"uuid", "'x'", "expected a valid UUID"},
			{"auto_timestamp_s", "0", "expected a valid timestamp"},
			{"auto_timestamp_s", "1.5", "expected an integer"},
			{"auto_timestamp_ms", "1.5", NULL},
			{"protocol", "'ftp'",
					"expected one of: grpc, grpcs, http, https, tcp, tls, "
					"tls_passthrough, udp, ws, wss"},
			{"protocols", "['http','http']", NULL},
			{"protocols", "'http'", "expected a set"},
			{"methods", "['GET','get']", "a.2: invalid value: get"},
			{"no_route", "{'id':'x'}", "value must be null"},
			{"no_service", "null", NULL},
			{"no_methods", "['GET']", "value must be null"},
			{"no_sources", "null", NULL},
			{"cookie_name", "'a b'",
					"contains one or more invalid characters. ASCII control "
					"characters (0-31;127), space, tab and the characters "
					"()<>@,;:\\\"/?={}[] are not allowed."},
			{"header_name", "'X-A'", NULL},
			{"header_name", "'a b'",
					"bad header name 'a b', allowed characters are A-Z, a-z, "
					"0-9, '_', and '-'"},
			{"redis_host", "'a:1'", "must not have a port"},
			{"redis_server_name", "'10.0.0.1'", "must not be an IP"},
			{"capability", "'x'", NULL},
			{"certificate", "'x'", "invalid certificate: no start line"},
			{"queue", "{'max_batch_size':0}",
					"a.max_batch_size: value should be between 1 and 1000000"},
			{"queue", "{'concurrency_limit':2}",
					"a.concurrency_limit: expected one of: -1, 1"},
			{"propagation", "{}", NULL},
			{"tags", "['a','b']", NULL},
			{"router_paths", "['/a','~/b$']", NULL},
			{"headers", "{'x-a':'1'}", "expected an array"},
			{"headers", "{'host':['1']}", NULL},
			{"hosts", "['a.*.b']",
					"a.1: invalid wildcard: must be placed at leftmost or "
					"rightmost label"},
			{"sources", "[{}]",
					"a.1: {[\"@entity\"]={\"at least one of these fields must "
					"be non-empty: 'ip', 'port'\"}}"},
			{"destinations", "[{'port':70000}]",
					"a.1: {port=\"value should be between 0 and 65535\"}"},
			{"wildcard_host", "'a:80'", "must not have a port"},
			{"wildcard_host", "'*'", NULL},
			{"url", "'ftp://x'", NULL},
			{"url", "'http://a:99999/'", NULL},
			{"host_with_optional_port", "'a:x'", "invalid port number"},
			{"utf8_name", "'a/b'",
					"invalid value 'a/b': the only accepted ascii characters "
					"are alphanumerics or ., -, _, and ~"},
			{"tag", "'a/b'",
					"invalid tag 'a/b': expected printable ascii (except `,` "
					"and `/`) or valid utf-8 sequences"},
	};

	(void)state;
	RUN(rows);
}

static void keys_are_loaded(void **state)
{
	static const struct row rows[] = {
			{"jwk", JWK("'kty':'RSA'," RSA_PUBLIC), NULL},
			{"jwk", JWK("'kty':'RSA'," RSA_PUBLIC "," RSA_D), NULL},
			{"jwk", JWK("'kty':'RSA'," RSA_PUBLIC "," RSA_D "," RSA_FACTORS), NULL},
			{"jwk", JWK("'kty':'RSA','n':'AQAB'"),
					"could not load JWK: e: required for this kty"},
			{"jwk", JWK("'kty':'RSA','n':'A+/B','e':'AQAB'"),
					"could not load JWK: n: not base64url"},
			{"jwk", JWK("'kty':'RSA'," RSA_PUBLIC ",'d':'AQAB'," RSA_FACTORS),
					"could not load JWK: d: does not belong to the public key"},
			{"jwk", JWK("'kty':'RSA'," RSA_PUBLIC ",'d':'{vault://env/d}'"), NULL},
			{"jwk", JWK("'kty':'EC'," EC_PUBLIC), NULL},
			{"jwk", JWK("'kty':'EC'," EC_PUBLIC "," EC_D), NULL},
			{"jwk", JWK("'kty':'EC'," EC_PUBLIC ",'d':'AQAB'"),
					"could not load JWK: d: does not belong to the public key"},
			{"jwk", JWK("'kty':'EC','crv':'P-256','x':'AQAB','y':'AQAB'"),
					"could not load JWK: crv: x and y have another length than "
					"the curve's"},
			{"jwk", JWK("'kty':'EC','crv':'P-1'"),
					"could not load JWK: crv: expected one of: P-256, P-384, "
					"P-521, secp256k1"},
			{"jwk", JWK("'kty':'OKP'," OKP_PUBLIC), NULL},
			{"jwk", JWK("'kty':'OKP'," OKP_PUBLIC "," OKP_D), NULL},
			{"jwk", JWK("'kty':'OKP','crv':'Ed25519','x':'AQAB'"),
					"could not load JWK: kty: the members are no key of this "
					"type"},
			{"jwk", JWK("'kty':'oct','k':'c2VjcmV0'"), NULL},
			{"jwk", JWK("'kty':'oct'"), "could not load JWK: k: required for this kty"},
			{"jwk", JWK("'kty':'x'"),
					"could not load JWK: kty: expected one of: RSA, EC, OKP, "
					"oct"},
			{"pem", "{'private_key':'" EC_PRIVATE_PEM "'}", NULL},
			{"pem", "{'public_key':'" EC_PUBLIC_PEM "'}", NULL},
			{"pem",
					"{'private_key':'" EC_PRIVATE_PEM
					"','public_key':'" EC_PUBLIC_PEM "'}",
					NULL},
			{"pem",
					"{'private_key':'" EC_PRIVATE_PEM
					"','public_key':'" OTHER_PUBLIC_PEM "'}",
					"public key does not belong to private key"},
			{"pem",
					"{'private_key':'{vault://env/"
					"x}','public_key':'" EC_PUBLIC_PEM "'}",
					NULL},
			{"pem", "{'public_key':'x'}",
					"could not load JWK/PEM public key: unsupported"},
	};

	(void)state;
	RUN(rows);
}

static void code_as_a_value_is_refused_with_the_reason(void **state)
{
	char *have = outcome("'fields':[{'a':{'typedef':'lua_code'}}]", "{}");

	(void)state;
	assert_non_null(strstr(have, "definition lua_code is not available: the sandbox has no "
				     "load()"));
	free(have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_definition_is_a_good_field),
			cmocka_unit_test(hosts_and_addresses),
			cmocka_unit_test(paths_and_urls),
			cmocka_unit_test(names_and_tags),
			cmocka_unit_test(numbers_sets_and_records),
			cmocka_unit_test(keys_are_loaded),
			cmocka_unit_test(code_as_a_value_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
