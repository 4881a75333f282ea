/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#define METHOD(phase, code) "function P:" phase "(conf) " code " end "
#define ACCESS(code) METHOD("access", code)

static const struct bench_scope everywhere;

static void kong_ctx_plugin_is_shared_by_the_phases_of_one_plugin_only(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			METHOD("rewrite", "kong.ctx.plugin.n = 1")
					ACCESS("kong.ctx.plugin.n = kong.ctx.plugin.n + 1")
							METHOD("log", "kong.ctx.shared.n = "
								      "kong.ctx.plugin.n"));
	bench_plugin(b, "q", 1, ACCESS("kong.ctx.shared.other = tostring(kong.ctx.plugin.n)"));
	bench_instance(b, "p", "i1", everywhere);
	bench_instance(b, "q", "i2", everywhere);
	bench_commit(b);
	for (int i = 0; i < 3; i++) {
		bench_run(b, "/");
		chain_log(b->chain);
		assert_string_equal(bench_shared(b, "n"), "2");
		assert_string_equal(bench_shared(b, "other"), "nil");
	}
}

static void conf_has_its_fields_sets_and_hidden_keys(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			ACCESS("kong.response.exit(200, { conf.a, tostring(conf.gone), "
			       "tostring(conf.methods.GET), tostring(conf.methods.PUT), "
			       "conf.__plugin_id, conf.route_id, #conf.list })"),
			"{\"fields\":[{\"config\":{\"type\":\"record\",\"fields\":["
			"{\"methods\":{\"type\":\"set\",\"elements\":{\"type\":\"string\"}}}]}}]}",
			0, 0);
	bench_instance(b, "p", "i1",
			(struct bench_scope){.route = "r",
					.config = "{\"a\":1,\"gone\":null,\"methods\":[\"GET\"],"
						  "\"list\":[1,2]}"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_text(b->x.answer.body),
			"[1,\"nil\",\"true\",\"nil\",\"i1\",\"r\",2]");
}

static void prepare(struct bench *b)
{
	b->x.route.json = STR("{\"id\":\"r\",\"name\":\"route\"}");
	b->x.service.json = STR("{\"id\":\"s\",\"name\":\"service\"}");
	headers_add(&b->x.request.headers, STR("Authorization"), STR("secret"));
	b->x.response.status = 200;
	b->x.response.source = RESPONSE_FROM_EXIT;
}

static void kong_ctx_shared_holds_plain_data_by_value(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.ctx.shared.none", "nil"},
			{"(function() kong.ctx.shared.t = {a = {1, 2}, [1] = 'x'} return "
			 "kong.ctx.shared.t.a[2], kong.ctx.shared.t[1] end)()",
					"2, x"},
			{"(function() local t = {1} kong.ctx.shared.v = t t[1] = 2 return "
			 "kong.ctx.shared.v[1] end)()",
					"1"},
			{"(function() kong.ctx.shared.v = nil return kong.ctx.shared.v end)()",
					"nil"},
			{"(function() kong.ctx.shared.f = print end)()",
					"! kong.ctx.shared holds booleans, numbers, strings and "
					"plain tables of these, copied in and out: it cannot hold "
					"a "
					"function"},
			{"(function() local t = {} t.t = t kong.ctx.shared.t = t end)()",
					"! kong.ctx.shared holds booleans, numbers, strings and "
					"plain tables of these, copied in and out: it cannot hold "
					"a "
					"table that contains itself or nests too deeply"},
			{"(function() for i = 1, 2000 do ngx.ctx[i] = i end end)()",
					"! ngx.ctx is full: at most 1024 fields"},
			{"(function() kong.ctx.other = 1 end)()",
					"! kong.ctx has the fields shared and plugin: use those"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void an_entity_is_one_table_until_it_changes(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.router.get_route() == kong.router.get_route()", "true"},
			{"kong.router.get_route() == kong.router.get_service()", "false"},
			{"kong.client.get_consumer()", "nil"},
			{"(function() for i = 1, 1000 do "
			 "kong.client.authenticate({username = 'u' .. i}) "
			 "local c = kong.client.get_consumer() "
			 "if c.username ~= 'u' .. i or c ~= kong.client.get_consumer() then return "
			 "i end "
			 "end return 'all' end)()",
					"all"},
			{"kong.router.get_route().name", "route"},
	};

	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void numbers_of_the_node_and_loggers_check_their_arguments(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.node.get_memory_stats().workers_lua_vms[1].http_allocated_gc > 1000",
					"true"},
			{"#kong.node.get_memory_stats().workers_lua_vms, "
			 "next(kong.node.get_memory_stats().lua_shared_dicts)",
					"1, nil"},
			{"(kong.node.get_memory_stats('k', "
			 "1).workers_lua_vms[1].http_allocated_gc:gsub('%d+', 'N'))",
					"N.N KiB"},
			{"(kong.node.get_memory_stats('MiB').workers_lua_vms[1].http_allocated_gc:"
			 "gsub('%d', 'N'))",
					"N.NN MiB"},
			{"kong.node.get_memory_stats(1)", "! unit must be a string"},
			{"kong.node.get_memory_stats('x')", "! invalid unit 'x' (expected 'b/B', "
							    "'k/K', 'm/M', or 'g/G')"},
			{"kong.node.get_memory_stats('k', -1)",
					"! scale must be equal or greater than 0"},
			{"kong.node.get_memory_stats('k', 'x')", "! scale must be a number"},
			{"kong.nginx.get_statistics().total_requests, "
			 "kong.nginx.get_statistics().connections_active",
					"0, 0"},
			{"kong.log.new()", "! namespace must be a string"},
			{"kong.log.new('')", "! namespace cannot be an empty string"},
			{"kong.log.new('a', 1)", "! format must be a string if specified"},
			{"kong.log.new('a', '')",
					"! format cannot be an empty string if specified"},
			{"kong.log.set_format({})", "! format must be a string"},
			{"kong.log.new('a').set_format(1)", "! format must be a string"},
			{"type(kong.log.new('a').err), getmetatable(kong.log.new('a'))",
					"function, false"},
	};

	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void client_router_node_and_the_rest_answer(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.client.get_ip()", "192.0.2.7"},
			{"kong.client.get_port()", "4711"},
			{"kong.client.get_forwarded_ip()", "198.51.100.1"},
			{"kong.client.get_forwarded_port()", "4712"},
			{"kong.client.get_protocol()", "http"},
			{"kong.client.get_consumer()", "nil"},
			{"kong.client.load_consumer('alice', true).username", "alice"},
			{"kong.client.load_consumer('nobody', true)", "nil"},
			{"kong.client.load_consumer('11111111-1111-4111-8111-111111111111', "
			 "true).username",
					"alice"},
			{"kong.client.load_consumer('21111111-1111-4111-8111-111111111111', true)",
					"nil"},
			{"kong.client.load_consumer(1)", "! consumer_id must be a string"},
			{"kong.client.load_consumer('x')",
					"! cannot load a consumer with an id that is not a uuid"},
			{"kong.client.authenticate(1)", "! consumer must be a table or nil"},
			{"kong.client.authenticate(nil, 1)", "! credential must be a table or nil"},
			{"kong.client.authenticate()",
					"! either credential or consumer must be provided"},
			{"kong.client.authenticate({id = 'c', username = 'u'}, {id = 'k'})", ""},
			{"kong.client.get_consumer().username, kong.client.get_credential().id",
					"u, k"},
			{"kong.ip.is_trusted('10.1.2.3')", "true"},
			{"kong.ip.is_trusted('11.1.2.3')", "false"},
			{"kong.ip.is_trusted('::1')", "true"},
			{"kong.ip.is_trusted('no address')", "false"},
			{"kong.ip.is_trusted(1)", "! ip must be a string"},
			{"kong.router.get_route().name", "route"},
			{"kong.router.get_service().id", "s"},
			{"kong.node.get_id()", "22222222-2222-4222-8222-222222222222"},
			{"kong.node.get_hostname()", "node.example"},
			{"kong.plugin.get_id()", "i-p"},
			{"kong.nginx.get_subsystem()", "http"},
			{"#kong.cluster.get_id()", "36"},
			{"kong.telemetry.log('p', {}, 't', 'm', {})",
					"nil, Telemetry logging is disabled: log entry will not be "
					"recorded. Set tracing_otlp_endpoint to export log "
					"entries."},
			{"kong.telemetry.log('p', 1, 't')", "nil, plugin_config must be a table"},
			{"kong.telemetry.log('p', {}, 't', {})", "nil, message must be a string"},
			{"kong.version, kong.version_num", "3.15.0, 3015000"},
			{"kong.configuration.untrusted_lua", "lax"},
			{"(function() kong.configuration.x = 1 end)()",
					"! cannot write to configuration"},
			{"kong.table.merge({a = 1, b = 2}, {b = 3}).b", "3"},
			{"kong.table.merge(nil, {1})[1]", "1"},
			{"kong.table.merge(1)", "! t1 must be a table"},
			{"next(kong.table.clear({1, 2, a = 3}) or {})", "nil"},
			{"type(kong.table.new(1, 2))", "table"},
			{"kong.table.new('x')", "! narr must be a number"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void a_strict_vm_lacks_what_the_strict_list_lacks(void **state)
{
	static const struct pdk_row rows[] = {
			{"tostring(kong.service.set_target)", "nil"},
			{"type(kong.service.request.set_header)", "function"},
	};
	struct bench *b = *state;
	struct why why = WHY_NONE;

	engine_free(b->engine);
	b->conf.level = VM_STRICT;
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(b, "access", "", rows);
}

static void serialize_tells_the_request_and_what_plugins_added(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.log.serialize().request.method", "GET"},
			{"kong.log.serialize().request.uri", "/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"kong.log.serialize().request.url",
					"http://example.com:8000/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"kong.log.serialize().request.querystring.z", "A b"},
			{"kong.log.serialize().request.headers.authorization", "REDACTED"},
			{"kong.log.serialize().response.status", "200"},
			{"kong.log.serialize().latencies.proxy", "-1"},
			{"kong.log.serialize().route.name", "route"},
			{"kong.log.serialize().client_ip", "198.51.100.1"},
			{"kong.log.serialize().source", "kong"},
			{"kong.log.serialize().workspace_name", "default"},
			{"kong.log.set_serialize_value('a.b', 1)", ""},
			{"kong.log.set_serialize_value('a.b', 2, {mode = 'add'})", ""},
			{"kong.log.serialize().a.b", "1"},
			{"kong.log.set_serialize_value('a.b', 3, {mode = 'replace'})", ""},
			{"kong.log.set_serialize_value('none', 3, {mode = 'replace'})", ""},
			{"kong.log.serialize().a.b, kong.log.serialize().none", "3, nil"},
			{"kong.log.set_serialize_value('x\\\\.y', true)", ""},
			{"kong.log.serialize()['x.y']", "true"},
			{"kong.log.set_serialize_value('request.headers', nil)", ""},
			{"kong.log.serialize().request.headers", "nil"},
			{"kong.log.set_serialize_value(1)", "! key must be a string"},
			{"kong.log.set_serialize_value('a', 1, {mode = 'x'})",
					"! mode must be 'set', 'add' or 'replace'"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "log", "", rows);
}

/* Functions are made when they are asked for: that is not to be seen. */
static void a_table_of_functions_is_whole_to_pairs(void **state)
{
	static const struct pdk_row rows[] = {
			{"(function() local n, has = 0, false for k, v in pairs(kong.response) do "
			 "n = n + 1 has = has or k == 'exit' and v == kong.response.exit end "
			 "return n > 10, has end)()",
					"true, true"},
			{"kong.response.exit == kong.response.exit, kong.response.none",
					"true, nil"},
			{"(function() kong.response.exit = 1 end)()",
					"! Cannot modify kong.response.exit. Protected by the "
					"sandbox."},
			{"(function() kong.response.none = 1 end)()",
					"! Cannot modify kong.response.none. Protected by the "
					"sandbox."},
			{"kong.request[1], kong.request[true], kong.request[{}]", "nil, nil, nil"},
			{"getmetatable(kong.request), kong.request.__fill, kong.request.__index",
					"false, nil, nil"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void log_functions_take_anything(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.log('a', 1, nil, true, {}, print)", ""},
			{"kong.log.err()", ""},
			{"kong.log.debug(('x'):rep(100000))", ""},
			{"kong.log.inspect({a = {1}}, print, {print})", ""},
			{"kong.log.inspect.off()", ""},
			{"kong.log.deprecation('old', {after = '1.0', removal = '2.0'})", ""},
			{"kong.log.deprecation.write('old')", ""},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "for i = 1, 200 do kong.log.info(i) end", rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(kong_ctx_plugin_is_shared_by_the_phases_of_one_plugin_only),
			BENCH_TEST(conf_has_its_fields_sets_and_hidden_keys),
			BENCH_TEST(kong_ctx_shared_holds_plain_data_by_value),
			BENCH_TEST(client_router_node_and_the_rest_answer),
			BENCH_TEST(an_entity_is_one_table_until_it_changes),
			BENCH_TEST(numbers_of_the_node_and_loggers_check_their_arguments),
			BENCH_TEST(a_strict_vm_lacks_what_the_strict_list_lacks),
			BENCH_TEST(serialize_tells_the_request_and_what_plugins_added),
			BENCH_TEST(log_functions_take_anything),
			BENCH_TEST(a_table_of_functions_is_whole_to_pairs),
	};

	return cmocka_run_group_tests_name("pdk_rest", tests, bench_process, NULL);
}
