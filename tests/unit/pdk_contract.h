/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of kong.*, ngx.* and sluice.*: one call with its result, one with a wrong argument
 * and what is raised or returned then.  test_pdk_contract refuses a function without a row.
 *
 * X(function, phase, arguments, result, wrong arguments, its error); NULL: it takes no arguments,
 * or any.  Results are written as in pdk_rows.h; "= …" is the answer of a call that ends the phase:
 * status and body.
 */
#pragma once

#define NO_ARGUMENTS NULL, NULL

#define VALUE_TEXT \
	"! value must be nil, a number, string, boolean or a non-self-referencial table " \
	"containing numbers, string and booleans"
#define UUID "'11111111-1111-4111-8111-111111111111'"

/* clang-format off */
#define CONTRACT_CACHE(X) \
	X("kong.cache.get", "access", "('k', nil, function() return 1 end)", "1, nil, 3", "(1)", "! key must be a string") \
	X("kong.cache.get_bulk", "access", "({n = 0}).n", "0", "()", "! bulk must be a table") \
	X("kong.cache.probe", "access", "('none')", "nil", "()", "! key must be a string") \
	X("kong.cache.renew", "access", "('r', nil, function() return 2 end)", "2, nil, 0", "('r')", "! callback must be a function") \
	X("kong.cache.safe_set", "access", "('s', 'v')", "true", "()", "! key must be a string") \
	X("kong.cache.invalidate", "access", "('none')", "", "()", "! key must be a string") \
	X("kong.cache.invalidate_local", "access", "('none')", "", "()", "! key must be a string")

#define CONTRACT_DB_SHARED(X, entity) \
	X("kong.db." entity ".select", "access", "({id = '11111111-1111-4111-8111-111111111111'})", "nil", "()", "! primary_key must be a table") \
	X("kong.db." entity ".select_by_cache_key", "access", "('other:x')", "nil", "()", "! cache_key must be a string") \
	X("kong.db." entity ".cache_key", "access", "('a', 'b')", entity ":a:b::::0dc6f45b-8f8d-40d2-a504-473544ee190b", "()", "! key must be a string or an entity") \
	X("kong.db." entity ".insert", "access", "({})", "nil, [off] cannot create '" entity "' entities when not using a database, table", NO_ARGUMENTS) \
	X("kong.db." entity ".update", "access", "({})", "nil, [off] cannot update '" entity "' entities when not using a database, table", NO_ARGUMENTS) \
	X("kong.db." entity ".upsert", "access", "({})", "nil, [off] cannot create or update '" entity "' entities when not using a database, table", NO_ARGUMENTS) \
	X("kong.db." entity ".delete", "access", "({})", "nil, [off] cannot delete '" entity "' entities when not using a database, table", NO_ARGUMENTS)

#define CONTRACT_DB(X) \
	CONTRACT_DB_SHARED(X, "certificates") \
	CONTRACT_DB_SHARED(X, "consumers") \
	CONTRACT_DB_SHARED(X, "plugins") \
	CONTRACT_DB_SHARED(X, "routes") \
	CONTRACT_DB_SHARED(X, "services") \
	CONTRACT_DB_SHARED(X, "targets") \
	X("kong.db.targets.select_by_target", "access", "('none:80')", "nil", "(1)", "! target must be a string") \
	CONTRACT_DB_SHARED(X, "keys") \
	X("kong.db.keys.select_by_name", "access", "('none')", "nil", "(1)", "! name must be a string") \
	CONTRACT_DB_SHARED(X, "upstreams") \
	X("kong.db.upstreams.select_by_name", "access", "('none')", "nil", "(1)", "! name must be a string") \
	CONTRACT_DB_SHARED(X, "snis") \
	X("kong.db.snis.select_by_name", "access", "('none')", "nil", "(1)", "! name must be a string") \
	X("kong.db.consumers.select_by_username", "access", "('none')", "nil", "(1)", "! username must be a string") \
	X("kong.db.consumers.select_by_custom_id", "access", "('none')", "nil", "(1)", "! custom_id must be a string") \
	X("kong.db.consumers.select_by_username_ignore_case", "access", "('none')", "table", "(1)", "! username must be a string") \
	X("kong.db.plugins.select_by_instance_name", "access", "('none')", "nil", "(1)", "! instance_name must be a string") \
	X("kong.db.routes.select_by_name", "access", "('none')", "nil", "(1)", "! name must be a string") \
	X("kong.db.services.select_by_name", "access", "('none')", "nil", "('none', 1)", "! options must be a table when specified")

#define CONTRACT_VAULT(X) \
	X("kong.dns.toip", "access", "('a.test', 80)", "nil, there is no network in this run", "()", "nil, host must be a string") \
	X("kong.dns.resolve", "access", "('a.test')", "nil, dns client error: no nameservers specified", "()", "nil, host must be a string") \
	X("kong.vault.is_reference", "access", "('{vault://env/a}')", "true", "()", "false") \
	X("kong.vault.parse_reference", "access", "('{vault://env/a}').name", "env", "()", "nil, not a reference [nil]") \
	X("kong.vault.get", "access", "('x')", "nil, not a reference [x]", "()", "nil, not a reference [nil]") \
	X("kong.vault.update", "access", "({a = 1}).a", "1", "(5)", "5") \
	X("kong.vault.try", "access", "(function() return 1 end)", "1", "()", "! callback must be a function")

#define CONTRACT_KONG(X) \
	X("kong.client.get_ip", "access", "()", "192.0.2.7", NO_ARGUMENTS) \
	X("kong.client.get_port", "access", "()", "4711", NO_ARGUMENTS) \
	X("kong.client.get_forwarded_ip", "log", "()", "198.51.100.1", NO_ARGUMENTS) \
	X("kong.client.get_forwarded_port", "log", "()", "4712", NO_ARGUMENTS) \
	X("kong.client.get_consumer", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.get_credential", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.load_consumer", "access", "(" UUID ").username", "alice", "('x')", "! cannot load a consumer with an id that is not a uuid") \
	X("kong.client.authenticate", "access", "(nil, {id = 'k'})", "", "()", "! either credential or consumer must be provided") \
	X("kong.client.get_protocol", "access", "()", "http", NO_ARGUMENTS) \
	X("kong.client.tls.request_client_certificate", "certificate", "()", "nil, the host has no TLS", "(1)", "! ca_certs must be certificates in PEM form") \
	X("kong.client.tls.disable_session_reuse", "certificate", "()", "nil, the host has no TLS", NO_ARGUMENTS) \
	X("kong.client.tls.get_full_client_certificate_chain", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.tls.set_client_verify", "access", "('FAILED:x')", "", "('x')", "! unknown client verify value: x accepted values are: \"SUCCESS\", \"NONE\" and \"FAILED:<reason>\"") \
	X("kong.client.get_consumer_group", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.get_consumer_groups", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.set_authenticated_consumer_group", "access", "({name = 'a'})", "", "(1)", "! group must be a table or nil") \
	X("kong.client.set_authenticated_consumer_groups", "access", "({{name = 'a'}})", "", "(1)", "! groups must be a table or nil") \
	X("kong.client.authenticate_consumer_group_by_consumer_id", "access", "(" UUID ")", "", "('x')", "! cannot load a consumer with an id that is not a uuid") \
	X("kong.client.get_token", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.set_token", "access", "('t')", "", "(1)", "! token must be a string or nil") \
	X("kong.client.get_jwt_token_header", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.get_jwt_token_payload", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.get_identity_realm_source", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.client.set_identity_realm_source", "access", "('cp')", "", "(1)", "! source must be a string or nil") \
	X("kong.cluster.get_id", "access", "():len()", "36", NO_ARGUMENTS) \
	X("kong.ip.is_trusted", "access", "('10.1.2.3')", "true", "(1)", "! ip must be a string") \
	X("kong.jwe.decode", "access", "('x')", "nil, not a JWE in the compact form", "(1)", "! token must be a string") \
	X("kong.jwe.decrypt", "access", "('k', 'x')", "nil, not a JWE in the compact form", "(1, 'x')", "! key must be a string or a table") \
	X("kong.jwe.encrypt", "access", "('RSA1_5', 'A128GCM', 'k', 'x')", "nil, unsupported alg: RSA1_5", "(1)", "! alg must be a string") \
	X("kong.log", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.debug", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.info", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.notice", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.warn", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.err", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.crit", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.alert", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.emerg", "access", "('a', 1, nil)", "", NO_ARGUMENTS) \
	X("kong.log.inspect", "access", "({a = {1}}, print)", "", NO_ARGUMENTS) \
	X("kong.log.inspect.on", "access", "()", "", NO_ARGUMENTS) \
	X("kong.log.inspect.off", "access", "()", "", NO_ARGUMENTS) \
	X("kong.log.deprecation", "access", "('old', {after = '1.0', removal = '2.0'})", "", NO_ARGUMENTS) \
	X("kong.log.deprecation.write", "access", "('old')", "", NO_ARGUMENTS) \
	X("kong.log.new", "access", "('ns').err('x')", "", "('')", "! namespace cannot be an empty string") \
	X("kong.log.set_format", "access", "('%message')", "", "({})", "! format must be a string") \
	X("kong.log.set_serialize_value", "access", "('a.b', 1)", "", "('a', 1, {mode = 'x'})", "! mode must be 'set', 'add' or 'replace'") \
	X("kong.log.serialize", "log", "().request.method", "GET", NO_ARGUMENTS) \
	X("kong.nginx.get_subsystem", "access", "()", "http", NO_ARGUMENTS) \
	X("kong.nginx.get_statistics", "access", "().total_requests", "0", NO_ARGUMENTS) \
	X("kong.node.get_id", "access", "()", "22222222-2222-4222-8222-222222222222", NO_ARGUMENTS) \
	X("kong.node.get_hostname", "access", "()", "node.example", NO_ARGUMENTS) \
	X("kong.node.get_memory_stats", "access", "('k', 1).workers_lua_vms[1].http_allocated_gc:match('KiB')", "KiB", "('x')", "! invalid unit 'x' (expected 'b/B', 'k/K', 'm/M', or 'g/G')") \
	X("kong.plugin.get_id", "access", "()", "i-p", NO_ARGUMENTS) \
	X("kong.request.get_scheme", "access", "()", "http", NO_ARGUMENTS) \
	X("kong.request.get_host", "access", "()", "example.com", NO_ARGUMENTS) \
	X("kong.request.get_port", "access", "()", "8000", NO_ARGUMENTS) \
	X("kong.request.get_forwarded_scheme", "access", "()", "http", NO_ARGUMENTS) \
	X("kong.request.get_forwarded_host", "access", "()", "example.com", NO_ARGUMENTS) \
	X("kong.request.get_forwarded_port", "access", "()", "8000", NO_ARGUMENTS) \
	X("kong.request.get_forwarded_path", "access", "()", "/c", NO_ARGUMENTS) \
	X("kong.request.get_raw_forwarded_path", "access", "()", "/a%20b/../c", NO_ARGUMENTS) \
	X("kong.request.get_forwarded_prefix", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.request.get_http_version", "access", "()", "1.1", NO_ARGUMENTS) \
	X("kong.request.get_method", "log", "()", "GET", NO_ARGUMENTS) \
	X("kong.request.get_path", "access", "()", "/c", NO_ARGUMENTS) \
	X("kong.request.get_raw_path", "access", "()", "/a%20b/../c", NO_ARGUMENTS) \
	X("kong.request.get_path_with_query", "access", "()", "/a%20b/../c?x=1&y&x=2&z=%41+b", NO_ARGUMENTS) \
	X("kong.request.get_raw_query", "access", "()", "x=1&y&x=2&z=%41+b", NO_ARGUMENTS) \
	X("kong.request.get_query_arg", "access", "('y')", "true", "(1)", "! query argument name must be a string") \
	X("kong.request.get_query", "access", "(2).x", "1", "(1001)", "! max_args must be <= 1000") \
	X("kong.request.get_header", "access", "('x_two')", "one", "({})", "! header name must be a string") \
	X("kong.request.get_headers", "access", "()['X-Two']", "one", "(0)", "! max_headers must be >= 1") \
	X("kong.request.get_raw_headers", "access", "():match('X%-Two: one')", "X-Two: one", NO_ARGUMENTS) \
	X("kong.request.get_raw_body", "access", "()", "{\"a\":1}", "(3)", "nil, request body file too big: 7 > 3") \
	X("kong.request.get_body", "access", "().a", "1", "(1)", "! mimetype must be a string") \
	X("kong.request.get_start_time", "access", "()", "1700000000123", NO_ARGUMENTS) \
	X("kong.request.get_uri_captures", "access", "().unnamed", "table", NO_ARGUMENTS) \
	X("kong.request.get_id", "access", "()", "0123456789abcdef0123456789abcdef", NO_ARGUMENTS) \
	X("kong.response.get_status", "header_filter", "()", "201", NO_ARGUMENTS) \
	X("kong.response.get_header", "header_filter", "('x-reply')", "yes", "(1)", "! header name must be a string") \
	X("kong.response.get_headers", "header_filter", "()['X-Reply']", "yes", "('x')", "! max_headers must be a number") \
	X("kong.response.get_source", "header_filter", "()", "service", NO_ARGUMENTS) \
	X("kong.response.set_status", "header_filter", "(204)", "", "(99)", "! code must be a number between 100 and 599") \
	X("kong.response.set_header", "header_filter", "('X-A', {'b', 'c'})", "", "(1, 'x')", "! invalid header name \"1\": got number, expected string") \
	X("kong.response.add_header", "header_filter", "('X-A', true)", "", "('a', print)", "! invalid header value for \"a\": got function, expected array of string, string, number or boolean") \
	X("kong.response.clear_header", "header_filter", "('X-A')", "", "(1)", "! header name must be a string") \
	X("kong.response.set_headers", "header_filter", "({['X-A'] = 1})", "", "(1)", "! headers must be a table") \
	X("kong.response.get_raw_body", "body_filter", "()", "chunk", NO_ARGUMENTS) \
	X("kong.response.set_raw_body", "body_filter", "('new')", "", "(1)", "! body must be a string") \
	X("kong.response.exit", "access", "(403, {a = 1})", "= 403 {\"a\":1}", "(99)", "! code must be a number between 100 and 599") \
	X("kong.response.error", "access", "(404, 'x')", "= 404 {\n  \"message\":\"x\",\n  \"request_id\":\"0123456789abcdef0123456789abcdef\"\n}", "(200)", "! code must be a number between 400 and 599") \
	X("kong.router.get_route", "access", "().name", "route", NO_ARGUMENTS) \
	X("kong.router.get_service", "access", "().id", "s", NO_ARGUMENTS) \
	X("kong.service.set_upstream", "access", "('u')", "nil, could not find an Upstream named 'u'", "(1)", "! host must be a string") \
	X("kong.service.set_target", "access", "('b.example', 80)", "", "('x', 70000)", "! port must be an integer between 0 and 65535: given 70000") \
	X("kong.service.set_target_retry_callback", "access", "(function() end)", "", "(1)", "! retry_callback must be a function") \
	X("kong.service.set_retries", "access", "(3)", "", "(40000)", "! retries must be an integer between 0 and 32767: given 40000") \
	X("kong.service.set_timeouts", "access", "(1, 2, 3)", "", "(0, 2, 3)", "! connect_timeout must be an integer between 1 and 2147483646: given 0") \
	X("kong.service.set_tls_cert_key", "access", "('x', 'y')", "nil, chain is not a certificate in PEM form", "('x')", "! key must be a string in PEM form") \
	X("kong.service.set_tls_verify", "access", "(true)", "true", "(1)", "! argument must be a boolean") \
	X("kong.service.set_tls_verify_depth", "access", "(3)", "true", "('3')", "! argument must be a number") \
	X("kong.service.set_tls_verify_store", "access", "('x')", "nil, argument holds no certificate in PEM form", "({})", "! argument must be certificates in PEM form") \
	X("kong.service.request.set_authentication_headers", "access", "({id = 'i'})", "", "(1)", "! consumer must be a table or nil") \
	X("kong.service.request.enable_buffering", "access", "()", "", NO_ARGUMENTS) \
	X("kong.service.request.set_scheme", "access", "('https')", "", "('ftp')", "! invalid scheme: ftp") \
	X("kong.service.request.set_path", "access", "('/x')", "", "('x')", "! path must start with /") \
	X("kong.service.request.set_raw_query", "access", "('a=b')", "", "(1)", "! query must be a string") \
	X("kong.service.request.set_query", "access", "({a = 1})", "", "({1})", "! arg keys must be strings") \
	X("kong.service.request.clear_query_arg", "access", "('a')", "", "(1)", "! query argument name must be a string") \
	X("kong.service.request.set_method", "access", "('PUT')", "", "('BREW')", "! invalid method: BREW") \
	X("kong.service.request.set_header", "access", "('X-A', 'b')", "", "('a')", "! invalid header value for \"a\": got nil, expected array of string, string, number or boolean") \
	X("kong.service.request.add_header", "access", "('X-A', 'b')", "", "('a')", "! invalid header value for \"a\": got nil, expected array of string, string, number or boolean") \
	X("kong.service.request.clear_header", "access", "('X-A')", "", "(1)", "! header must be a string") \
	X("kong.service.request.set_headers", "access", "({['X-A'] = 'b'})", "", "(1)", "! headers must be a table") \
	X("kong.service.request.set_raw_body", "access", "('new')", "", "(1)", "! body must be a string") \
	X("kong.service.request.set_body", "access", "({a = 1}, 'application/json')", "true", "(1)", "! args must be a table") \
	X("kong.service.request.disable_tls", "balancer", "()", "true", NO_ARGUMENTS) \
	X("kong.service.request.enable_tls", "balancer", "()", "true", NO_ARGUMENTS) \
	X("kong.service.response.get_status", "header_filter", "()", "202", NO_ARGUMENTS) \
	X("kong.service.response.get_header", "header_filter", "('x-of')", "service", "(1)", "! name must be a string") \
	X("kong.service.response.get_headers", "header_filter", "()['X-Of']", "service", "(0)", "! max_headers must be >= 1") \
	X("kong.service.response.get_raw_body", "response", "()", "{\"s\":1}", NO_ARGUMENTS) \
	X("kong.service.response.get_body", "response", "('application/json').s", "1", "(1)", "! mimetype must be a string") \
	X("kong.service.response.set_body", "response", "('new')", "", "(1)", "! body must be a string") \
	X("kong.table.new", "access", "(1, 2)", "table", "('x')", "! narr must be a number") \
	X("kong.table.clear", "access", "({1})", "", "(1)", "! table must be a table") \
	X("kong.table.merge", "access", "({a = 1}, {a = 2}).a", "2", "(1)", "! t1 must be a table") \
	X("kong.telemetry.log", "access", "('p', {}, 't', 'm', {})", "nil, Telemetry logging is disabled: log entry will not be recorded. Set tracing_otlp_endpoint to export log entries.", "('p', 1, 't')", "nil, plugin_config must be a table") \
	X("kong.tracing.active_span", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.tracing.create_span", "access", "(nil, {}).is_recording", "false", NO_ARGUMENTS) \
	X("kong.tracing.get_probability_sampling_decision", "access", "(1)", "", NO_ARGUMENTS) \
	X("kong.tracing.get_root_span", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.tracing.get_sampling_decision", "access", "(true, 1)", "", NO_ARGUMENTS) \
	X("kong.tracing.get_spans", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.tracing.init_spans", "access", "()", "nil", NO_ARGUMENTS) \
	X("kong.tracing.link_span", "access", "()", "", NO_ARGUMENTS) \
	X("kong.tracing.process_span", "log", "(print)", "", NO_ARGUMENTS) \
	X("kong.tracing.set_active_span", "access", "()", "", NO_ARGUMENTS) \
	X("kong.tracing.set_should_sample", "access", "(true)", "", NO_ARGUMENTS) \
	X("kong.tracing.start_span", "access", "('a').is_recording", "false", NO_ARGUMENTS)

#define CONTRACT_NGX(X) \
	X("ngx.escape_uri", "access", "('a b')", "a%20b", "({})", "! bad argument #1 to 'escape_uri' (string expected, got table)") \
	X("ngx.unescape_uri", "access", "('a%20b')", "a b", "({})", "! bad argument #1 to 'unescape_uri' (string expected, got table)") \
	X("ngx.encode_args", "access", "({a = 1})", "a=1", "({1})", "! arg keys must be strings") \
	X("ngx.decode_args", "access", "('a=1').a", "1", "()", "! bad argument #1 to 'decode_args' (string expected, got no value)") \
	X("ngx.encode_base64", "access", "('hello!!')", "aGVsbG8hIQ==", "({})", "! bad argument #1 to 'encode_base64' (string expected, got table)") \
	X("ngx.decode_base64", "access", "('aGVsbG8hIQ==')", "hello!!", "()", "! string argument only") \
	X("ngx.quote_sql_str", "access", "(\"a'b\")", "'a\\'b'", "()", "! bad argument #1 to 'quote_sql_str' (string expected, got no value)") \
	X("ngx.md5", "access", "('abc')", "900150983cd24fb0d6963f7d28e17f72", "({})", "! bad argument #1 to 'md5' (string expected, got table)") \
	X("ngx.md5_bin", "access", "('abc'):byte()", "144", "({})", "! bad argument #1 to 'md5_bin' (string expected, got table)") \
	X("ngx.sha1_bin", "access", "('abc'):byte()", "169", "({})", "! bad argument #1 to 'sha1_bin' (string expected, got table)") \
	X("ngx.hmac_sha1", "access", "('k', 't'):len()", "20", "({}, 't')", "! bad argument #1 to 'hmac_sha1' (string expected, got table)") \
	X("ngx.crc32_short", "access", "('123456789')", "3421780262", "({})", "! bad argument #1 to 'crc32_short' (string expected, got table)") \
	X("ngx.crc32_long", "access", "('123456789')", "3421780262", "({})", "! bad argument #1 to 'crc32_long' (string expected, got table)") \
	X("ngx.now", "access", "() > 1e9", "true", NO_ARGUMENTS) \
	X("ngx.time", "access", "() > 1e9", "true", NO_ARGUMENTS) \
	X("ngx.update_time", "access", "()", "", NO_ARGUMENTS) \
	X("ngx.today", "access", "():len()", "10", NO_ARGUMENTS) \
	X("ngx.localtime", "access", "():len()", "19", NO_ARGUMENTS) \
	X("ngx.utctime", "access", "():len()", "19", NO_ARGUMENTS) \
	X("ngx.http_time", "access", "(1547047469)", "Wed, 09 Jan 2019 15:24:29 GMT", "('x')", "! bad argument #1 to 'http_time' (number expected, got string)") \
	X("ngx.cookie_time", "access", "(1547047469)", "Wed, 09-Jan-19 15:24:29 GMT", "('x')", "! bad argument #1 to 'cookie_time' (number expected, got string)") \
	X("ngx.parse_http_time", "access", "('Wed, 09 Jan 2019 15:24:29 GMT')", "1547047469", "()", "! bad argument #1 to 'parse_http_time' (string expected, got no value)") \
	X("ngx.sleep", "access", "(0)", "", "('x')", "! bad argument #1 to 'sleep' (number expected, got string)") \
	X("ngx.say", "access", "('a', 1)", "1", "(print)", "! bad argument #1 to 'say' (string, number, boolean, nil, ngx.null, or array table expected, but got function)") \
	X("ngx.print", "access", "('a', 1)", "1", "(print)", "! bad argument #1 to 'print' (string, number, boolean, nil, ngx.null, or array table expected, but got function)") \
	X("ngx.exit", "access", "(403)", "= 403 {\n  \"message\":\"Forbidden\",\n  \"request_id\":\"0123456789abcdef0123456789abcdef\"\n}", "('x')", "! bad argument #1 to 'exit' (number expected, got string)") \
	X("ngx.redirect", "access", "('/x', 301)", "= 301 ", "('/x', 200)", "! only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed") \
	X("ngx.eof", "access", "()", "1", NO_ARGUMENTS) \
	X("ngx.flush", "access", "(true)", "1", NO_ARGUMENTS) \
	X("ngx.send_headers", "access", "()", "1", NO_ARGUMENTS) \
	X("ngx.get_phase", "access", "()", "access", NO_ARGUMENTS) \
	X("ngx.get_raw_phase", "log", "()", "log", NO_ARGUMENTS) \
	X("ngx.log", "access", "(ngx.ERR, 'x')", "", "('x')", "! bad argument #1 to 'log' (number expected, got string)") \
	X("ngx.re.match", "access", "('ab', '(b)')[1]", "b", "('x', '(')", "nil, pcre_compile() failed: missing closing parenthesis in \"(\"") \
	X("ngx.re.find", "access", "('ab', 'b')", "2, 2", "('x')", "! bad argument #2 to 'find' (string expected, got no value)") \
	X("ngx.re.gmatch", "access", "('a1', [[\\d]])()[0]", "1", "('x')", "! bad argument #2 to 'gmatch' (string expected, got nil)") \
	X("ngx.re.sub", "access", "('aa', 'a', 'b')", "ba, 1", "('x')", "! bad argument #3 to sub/gsub (string, number or function expected)") \
	X("ngx.re.gsub", "access", "('aa', 'a', 'b')", "bb, 2", "('x')", "! bad argument #3 to sub/gsub (string, number or function expected)") \
	X("ngx.req.get_headers", "access", "()['X-Two']", "one", "('x')", "! bad argument #1 to 'get_headers' (number expected, got string)") \
	X("ngx.req.set_header", "access", "('X-A', 'b')", "", "()", "! bad argument #1 to 'set_header' (string expected, got no value)") \
	X("ngx.req.clear_header", "access", "('X-A')", "", "()", "! bad argument #1 to 'clear_header' (string expected, got no value)") \
	X("ngx.req.get_method", "access", "()", "GET", NO_ARGUMENTS) \
	X("ngx.req.set_method", "access", "(ngx.HTTP_PUT)", "", "('PUT')", "! bad argument #1 to 'set_method' (number expected, got string)") \
	X("ngx.req.get_uri_args", "access", "().y", "true", "('x')", "! bad argument #1 to 'get_uri_args' (number expected, got string)") \
	X("ngx.req.set_uri_args", "access", "({a = 1})", "", "(print)", "! bad argument #1 to 'set_uri_args' (string, number, or table expected, but got function)") \
	X("ngx.req.set_uri", "access", "('/new')", "", "('')", "! attempt to use zero-length uri") \
	X("ngx.req.http_version", "access", "()", "1.1", NO_ARGUMENTS) \
	X("ngx.req.is_internal", "access", "()", "false", NO_ARGUMENTS) \
	X("ngx.req.start_time", "access", "()", "1700000000.123", NO_ARGUMENTS) \
	X("ngx.req.raw_header", "access", "():match('^GET [^\\r]+')", "GET /a%20b/../c?x=1&y&x=2&z=%41+b HTTP/1.1", NO_ARGUMENTS) \
	X("ngx.req.read_body", "access", "()", "", NO_ARGUMENTS) \
	X("ngx.req.get_body_data", "access", "()", "{\"a\":1}", NO_ARGUMENTS) \
	X("ngx.req.get_post_args", "access", "()", "table", "('x')", "! bad argument #1 to 'get_post_args' (number expected, got string)") \
	X("ngx.req.set_body_data", "access", "('x')", "", "()", "! bad argument #1 to 'set_body_data' (string expected, got no value)") \
	X("ngx.req.init_body", "access", "()", "", NO_ARGUMENTS) \
	X("ngx.req.append_body", "access", "('x')", "", "()", "! bad argument #1 to 'append_body' (string expected, got no value)") \
	X("ngx.req.finish_body", "access", "()", "", NO_ARGUMENTS) \
	X("ngx.req.discard_body", "access", "()", "", NO_ARGUMENTS) \
	X("ngx.resp.get_headers", "header_filter", "()['X-Reply']", "yes", "('x')", "! bad argument #1 to 'get_headers' (number expected, got string)") \
	X("ngx.worker.id", "access", "()", "0", NO_ARGUMENTS) \
	X("ngx.worker.count", "access", "()", "1", NO_ARGUMENTS) \
	X("ngx.worker.pid", "access", "() > 0", "true", NO_ARGUMENTS) \
	X("ngx.worker.pids", "access", "()[1] > 0", "true", NO_ARGUMENTS) \
	X("ngx.worker.exiting", "access", "()", "false", NO_ARGUMENTS) \
	X("ngx.socket.tcp", "access", "()", "table", NO_ARGUMENTS) \
	X("ngx.socket.stream", "access", "()", "table", NO_ARGUMENTS) \
	X("ngx.socket.connect", "access", "('127.0.0.1', 80)", "nil, there is no network in this run", "()", "! bad argument #1 to 'connect' (string expected, got nil)") \
	X("ngx.socket.udp", "access", "()", "table", NO_ARGUMENTS) \
	X("ngx.location.capture", "access", "('/x')", "! ngx.location.capture: there are no subrequests here: use require(\"resty.http\"):request_uri()", NO_ARGUMENTS) \
	X("ngx.location.capture_multi", "access", "({})", "! ngx.location.capture: there are no subrequests here: use require(\"resty.http\"):request_uri()", NO_ARGUMENTS) \
	X("ngx.req.socket", "access", "()", "! ngx.req.socket: the client's connection is the gateway's: use kong.request.get_raw_body()", NO_ARGUMENTS) \
	X("ngx.req.get_body_file", "access", "()", "nil", NO_ARGUMENTS) \
	X("ngx.req.set_body_file", "access", "('x')", "! ngx.req.set_body_file: plugins have no files: use kong.service.request.set_raw_body()", NO_ARGUMENTS) \
	X("ngx.thread.spawn", "access", "(function() end)", "table", "()", "! bad argument #1 to 'spawn' (function expected, got nil)") \
	X("ngx.thread.wait", "access", "(ngx.thread.spawn(function() return 7 end))", "true, 7", "()", "! at least one coroutine should be specified") \
	X("ngx.thread.kill", "access", "(ngx.thread.spawn(function() end))", "nil, already terminated", "()", "! bad argument to 'kill' (thread expected, got nil)")

/* Methods of what sluice.counter('x') and sluice.dict('x') give. */
#define CONTRACT_SLUICE(X) \
	X("sluice.counter", "access", "('k')", "table", "()", "! name must be a string") \
	X("sluice.dict", "access", "('k')", "table", "()", "! name must be a string") \
	X("sluice.counter.incr", "access", "(2)", "2", "('1')", "! n must be a number") \
	X("sluice.counter.get", "access", "() >= 0", "true", NO_ARGUMENTS) \
	X("sluice.counter.reset", "access", "() ~= nil", "true", NO_ARGUMENTS) \
	X("sluice.dict.get", "access", "('none')", "nil", "()", "! key must be a string") \
	X("sluice.dict.set", "access", "('k', 'v')", "true", "('k')", "! value must be a string, a number or a boolean") \
	X("sluice.dict.add", "access", "('k2', 'v')", "true", "('k2', 'v')", "nil, exists") \
	X("sluice.dict.incr", "access", "('n', 1)", "1", "('n', 'x')", "! n must be a number") \
	X("sluice.dict.delete", "access", "('none')", "false", "()", "! key must be a string") \
	X("sluice.dict.ttl", "access", "('none')", "nil, not found", "()", "! key must be a string")
/* clang-format on */
