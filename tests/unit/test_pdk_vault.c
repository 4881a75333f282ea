/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#include <stdlib.h>

#define SCHEMA \
	"{\"fields\":[{\"config\":{\"type\":\"record\",\"fields\":[" \
	"{\"secret\":{\"type\":\"string\",\"referenceable\":true}}," \
	"{\"plain\":{\"type\":\"string\"}}," \
	"{\"list\":{\"type\":\"array\",\"elements\":{\"type\":\"string\",\"referenceable\":true}}" \
	"}," \
	"{\"map\":{\"type\":\"map\",\"values\":{\"type\":\"string\",\"referenceable\":true}}}," \
	"{\"inner\":{\"type\":\"record\",\"fields\":[{\"s\":{\"type\":\"string\"," \
	"\"referenceable\":true}}]}}]}}]}"

#define GET_FAILED "nil, could not get value from external vault ("

static void references_are_parsed(void **state)
{
	static const struct pdk_row rows[] = {
			{"v.is_reference('{vault://env/a}')", "true"},
			{"v.is_reference('vault://env/a')", "false"},
			{"v.is_reference('{vault://}')", "false"},
			{"v.is_reference(1)", "false"},
			{"p('{vault://env/a-b/k?prefix=x_&ttl=5#2}')", "env,a-b,k,x_,2"},
			{"p('{vault://env/a%20b}')", "env,a b,nil,nil,nil"},
			{"p('{vault://env/a/b/c}')", "env,a/b,c,nil,nil"},
			{"v.parse_reference('x')", "nil, not a reference [x]"},
			{"v.parse_reference('{vault:///a}')",
					"nil, reference url is missing host [{vault:///a}]"},
			{"v.parse_reference('{vault://env}')",
					"nil, reference url is missing path [{vault://env}]"},
			{"v.parse_reference('{vault://env/}')",
					"nil, reference url has empty path [{vault://env/}]"},
			{"v.parse_reference('{vault://env//k}')",
					"nil, reference url has invalid path [{vault://env//k}]"},
			{"v.parse_reference('{vault://env/a#x}')", "nil, reference url has invalid "
								   "version [{vault://env/a#x}]"},
			{"v.parse_reference(1)", "nil, not a reference [1]"},
			{"v.parse_reference()", "nil, not a reference [nil]"},
	};

	PDK_ROWS_CHECK(*state, "access",
			"local v = kong.vault local function p(s) local r = v.parse_reference(s) "
			"return table.concat({tostring(r.name), tostring(r.resource), "
			"tostring(r.key), "
			"tostring(r.config and r.config.prefix), tostring(r.version)}, ',') end",
			rows);
}

static void the_env_vault_gives_what_is_there_and_nothing_of_the_node(void **state)
{
	static const struct pdk_row rows[] = {
			{"v.get('{vault://env/test-secret}')", "s3cret"},
			{"v.get('{vault://env/secret?prefix=test_}')", "s3cret"},
			{"v.get('{vault://env/test-json/user}')", "ann"},
			{"v.get('{vault://env/test-json/n}')", GET_FAILED
					"could not get subfield value: unexpected number value in "
					"JSON secret for subfield n)"},
			{"v.get('{vault://env/test-json/none}')",
					GET_FAILED "could not get subfield value: subfield none "
						   "not found in JSON secret)"},
			{"(select(2, v.get('{vault://env/test-secret/k}'))):sub(1, 104)",
					"could not get value from external vault (could not get "
					"subfield "
					"value: unable to json decode value (nil)"},
			{"v.get('{vault://env/not-there}')", GET_FAILED "no value found)"},
			{"v.get(nil)", "nil, not a reference [nil]"},
			{"v.get(5)", "nil, not a reference [5]"},
			{"(v.get('{vault://env/sluice-test}'))", "nil"},
			{"(v.get('{vault://env/test?prefix=SLUICE_}'))", "nil"},
			{"(v.get('{vault://env/test-secret%00x}'))", "nil"},
			{"(v.get('{vault://env/' .. ('x'):rep(5000) .. '}'))", "nil"},
			{"v.get('{vault://hcv/a}')", "nil, could not find vault (hcv)"},
			{"v.update({s = 'old', ['$refs'] = {s = '{vault://env/test-secret}'}}).s",
					"s3cret"},
			{"v.try(function(o) return nil, 'no' end, {})", "nil, no"},
			{"v.try(function(o) if o.s == 's3cret' then return 1 end return nil, 'no' "
			 "end, "
			 "{s = 'old', ['$refs'] = {s = '{vault://env/test-secret}'}})",
					"1"},
			{"v.update(1)", "1"},
			{"v.update({s = 'old', ['$refs'] = {s = '{vault://env/gone}'}}).s", ""},
			{"v.try(function(o) return o.s end, {s = 'old', ['$refs'] = {s = "
			 "'{vault://env/test-secret}'}})",
					"s3cret"},
			{"v.try(1)", "! callback must be a function"},
	};

	setenv("TEST_SECRET", "s3cret", 1);
	setenv("TEST_JSON", "{\"user\":\"ann\",\"n\":5}", 1);
	setenv("SLUICE_TEST", "of the node", 1);
	PDK_ROWS_CHECK(*state, "access", "local v = kong.vault", rows);
}

static void check_config(struct bench *b)
{
	bench_plugin_with(b, "p", 1,
			"function P:access(conf) local s = kong.ctx.shared s.secret = conf.secret "
			"s.plain = conf.plain s.list = table.concat(conf.list, ',') s.map = "
			"conf.map.k "
			"s.inner = conf.inner.s s.ref = conf['$refs'].secret "
			"s.inner_ref = conf.inner['$refs'].s s.list_ref = conf['$refs'].list[2] "
			"s.map_ref = conf['$refs'].map.k s.vault = tostring(kong.vault) end",
			SCHEMA, 0, 0);
	bench_instance(b, "p", "i1",
			(struct bench_scope){
					.config = "{\"secret\":\"{vault://env/test-secret}\","
						  "\"plain\":\"{vault://env/test-secret}\","
						  "\"list\":[\"a\",\"{vault://env/test-secret}\"],"
						  "\"map\":{\"k\":\"{vault://env/gone}\"},"
						  "\"inner\":{\"s\":\"{vault://env/test-json/"
						  "user}\"}"
						  "}"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "secret"), "s3cret");
	assert_string_equal(bench_shared(b, "plain"), "{vault://env/test-secret}");
	assert_string_equal(bench_shared(b, "list"), "a,s3cret");
	assert_string_equal(bench_shared(b, "map"), "");
	assert_string_equal(bench_shared(b, "inner"), "ann");
	assert_string_equal(bench_shared(b, "ref"), "{vault://env/test-secret}");
	assert_string_equal(bench_shared(b, "inner_ref"), "{vault://env/test-json/user}");
	assert_string_equal(bench_shared(b, "list_ref"), "{vault://env/test-secret}");
	assert_string_equal(bench_shared(b, "map_ref"), "{vault://env/gone}");
}

static void referenceable_fields_of_a_config_hold_the_secret_and_refs_the_reference(void **state)
{
	setenv("TEST_SECRET", "s3cret", 1);
	setenv("TEST_JSON", "{\"user\":\"ann\"}", 1);
	unsetenv("GONE");
	check_config(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(references_are_parsed),
			BENCH_TEST(the_env_vault_gives_what_is_there_and_nothing_of_the_node),
			BENCH_TEST(referenceable_fields_of_a_config_hold_the_secret_and_refs_the_reference),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
