/* SPDX-License-Identifier: Apache-2.0
 *
 * What the reference lists as there in strict and in lax, and as never there: name by name.
 */
#include <stdio.h>

#include "base/buf.h"
#include "tests/unit/pdk_rows.h"

/* clang-format off */
static const char strict_names[] =
	"_VERSION assert error ipairs next pairs pcall print select tonumber tostring type unpack xpcall "
	"require bit.arshift bit.band bit.bnot bit.bor bit.bswap bit.bxor bit.lshift bit.rol bit.ror "
	"bit.rshift bit.tobit bit.tohex coroutine.create coroutine.resume coroutine.running "
	"coroutine.status coroutine.wrap coroutine.yield io.type jit.os jit.arch jit.version "
	"jit.version_num math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh "
	"math.deg math.exp math.floor math.fmod math.frexp math.huge math.ldexp math.log math.log10 "
	"math.max math.min math.modf math.pi math.pow math.rad math.random math.sin math.sinh math.sqrt "
	"math.tan math.tanh os.clock os.date os.difftime os.time string.byte string.char string.find "
	"string.format string.gmatch string.gsub string.len string.lower string.match string.rep "
	"string.reverse string.sub string.upper table.clear table.clone table.concat table.foreach "
	"table.foreachi table.getn table.insert table.isarray table.isempty table.maxn table.move "
	"table.new table.nkeys table.pack table.remove table.sort table.unpack "
	"kong.version kong.version_num kong.default_workspace kong.configuration kong.ctx.shared "
	"kong.ctx.plugin kong.client.authenticate kong.client.authenticate_consumer_group_by_consumer_id "
	"kong.client.get_consumer kong.client.get_consumer_group kong.client.get_consumer_groups "
	"kong.client.get_credential kong.client.get_forwarded_ip kong.client.get_forwarded_port "
	"kong.client.get_ip kong.client.get_port kong.client.get_protocol kong.client.load_consumer "
	"kong.client.set_authenticated_consumer_group kong.client.set_authenticated_consumer_groups "
	"kong.client.set_token kong.client.get_token kong.client.get_jwt_token_header "
	"kong.client.get_jwt_token_payload kong.client.get_identity_realm_source "
	"kong.client.set_identity_realm_source kong.cluster.get_id kong.ip.is_trusted "
	"kong.jwe.decode kong.jwe.decrypt kong.jwe.encrypt "
	"kong.log kong.log.alert kong.log.crit kong.log.debug kong.log.emerg kong.log.err kong.log.info "
	"kong.log.inspect kong.log.notice kong.log.warn kong.log.serialize kong.log.set_serialize_value "
	"kong.log.deprecation kong.log.deprecation.write kong.nginx.get_subsystem kong.node.get_hostname "
	"kong.node.get_id kong.router.get_route kong.router.get_service kong.plugin.get_id "
	"kong.request.get_body kong.request.get_forwarded_host kong.request.get_forwarded_path "
	"kong.request.get_forwarded_port kong.request.get_forwarded_prefix "
	"kong.request.get_forwarded_scheme kong.request.get_header kong.request.get_headers "
	"kong.request.get_host kong.request.get_http_version kong.request.get_id kong.request.get_method "
	"kong.request.get_path kong.request.get_path_with_query kong.request.get_port "
	"kong.request.get_query kong.request.get_query_arg kong.request.get_raw_body "
	"kong.request.get_raw_forwarded_path kong.request.get_raw_path kong.request.get_raw_query "
	"kong.request.get_scheme kong.request.get_start_time kong.request.get_uri_captures "
	"kong.response.add_header kong.response.clear_header kong.response.error kong.response.exit "
	"kong.response.get_header kong.response.get_headers kong.response.get_raw_body "
	"kong.response.get_source kong.response.get_status kong.response.set_header "
	"kong.response.set_headers kong.response.set_raw_body kong.response.set_status "
	"kong.service.request.add_header kong.service.request.clear_header "
	"kong.service.request.clear_query_arg kong.service.request.enable_buffering "
	"kong.service.request.set_authentication_headers kong.service.request.set_body "
	"kong.service.request.set_header kong.service.request.set_headers "
	"kong.service.request.set_method kong.service.request.set_path kong.service.request.set_query "
	"kong.service.request.set_raw_body kong.service.request.set_raw_query "
	"kong.service.request.set_scheme kong.service.response.get_body "
	"kong.service.response.get_header kong.service.response.get_headers "
	"kong.service.response.get_raw_body kong.service.response.get_status kong.table.clear "
	"kong.table.merge kong.table.new kong.telemetry.log kong.tracing.active_span "
	"kong.tracing.create_span kong.tracing.get_probability_sampling_decision "
	"kong.tracing.get_root_span kong.tracing.get_sampling_decision kong.tracing.get_spans "
	"kong.tracing.init_spans kong.tracing.link_span kong.tracing.process_span "
	"kong.tracing.set_active_span kong.tracing.set_should_sample kong.tracing.start_span "
	"ngx.STDERR ngx.EMERG ngx.ALERT ngx.CRIT ngx.ERR ngx.WARN ngx.NOTICE ngx.INFO ngx.DEBUG ngx.OK "
	"ngx.ERROR ngx.AGAIN ngx.DONE ngx.DECLINED ngx.null ngx.HTTP_GET ngx.HTTP_HEAD ngx.HTTP_PUT "
	"ngx.HTTP_POST ngx.HTTP_DELETE ngx.HTTP_OPTIONS ngx.HTTP_MKCOL ngx.HTTP_COPY ngx.HTTP_MOVE "
	"ngx.HTTP_PROPFIND ngx.HTTP_PROPPATCH ngx.HTTP_LOCK ngx.HTTP_UNLOCK ngx.HTTP_PATCH "
	"ngx.HTTP_TRACE ngx.HTTP_CONTINUE ngx.HTTP_SWITCHING_PROTOCOLS ngx.HTTP_OK ngx.HTTP_CREATED "
	"ngx.HTTP_ACCEPTED ngx.HTTP_NO_CONTENT ngx.HTTP_PARTIAL_CONTENT ngx.HTTP_SPECIAL_RESPONSE "
	"ngx.HTTP_MOVED_PERMANENTLY ngx.HTTP_MOVED_TEMPORARILY ngx.HTTP_SEE_OTHER ngx.HTTP_NOT_MODIFIED "
	"ngx.HTTP_TEMPORARY_REDIRECT ngx.HTTP_PERMANENT_REDIRECT ngx.HTTP_BAD_REQUEST "
	"ngx.HTTP_UNAUTHORIZED ngx.HTTP_PAYMENT_REQUIRED ngx.HTTP_FORBIDDEN ngx.HTTP_NOT_FOUND "
	"ngx.HTTP_NOT_ALLOWED ngx.HTTP_NOT_ACCEPTABLE ngx.HTTP_REQUEST_TIMEOUT ngx.HTTP_CONFLICT "
	"ngx.HTTP_GONE ngx.HTTP_UPGRADE_REQUIRED ngx.HTTP_TOO_MANY_REQUESTS ngx.HTTP_CLOSE "
	"ngx.HTTP_ILLEGAL ngx.HTTP_INTERNAL_SERVER_ERROR ngx.HTTP_METHOD_NOT_IMPLEMENTED "
	"ngx.HTTP_BAD_GATEWAY ngx.HTTP_SERVICE_UNAVAILABLE ngx.HTTP_GATEWAY_TIMEOUT "
	"ngx.HTTP_VERSION_NOT_SUPPORTED ngx.HTTP_INSUFFICIENT_STORAGE ngx.config.nginx_version "
	"ngx.config.ngx_lua_version ngx.config.subsystem ngx.arg ngx.ctx ngx.var ngx.header "
	"ngx.headers_sent ngx.is_subrequest ngx.status ngx.cookie_time ngx.crc32_long ngx.crc32_short "
	"ngx.decode_args ngx.decode_base64 ngx.encode_args ngx.encode_base64 ngx.eof ngx.escape_uri "
	"ngx.exit ngx.flush ngx.get_phase ngx.get_raw_phase ngx.hmac_sha1 ngx.http_time ngx.localtime "
	"ngx.log ngx.md5 ngx.md5_bin ngx.now ngx.parse_http_time ngx.print ngx.quote_sql_str "
	"ngx.redirect ngx.say ngx.send_headers ngx.sha1_bin ngx.sleep ngx.time ngx.today "
	"ngx.unescape_uri ngx.update_time ngx.utctime ngx.re.find ngx.re.gmatch ngx.re.gsub "
	"ngx.re.match ngx.re.sub ngx.req.append_body ngx.req.clear_header ngx.req.discard_body "
	"ngx.req.finish_body ngx.req.get_body_data ngx.req.get_headers ngx.req.get_method "
	"ngx.req.get_post_args ngx.req.get_uri_args ngx.req.http_version ngx.req.init_body "
	"ngx.req.is_internal ngx.req.raw_header ngx.req.read_body ngx.req.set_body_data "
	"ngx.req.set_header ngx.req.set_method ngx.req.set_uri ngx.req.set_uri_args ngx.req.socket "
	"ngx.req.start_time ngx.resp.get_headers ngx.worker.count ngx.worker.exiting ngx.worker.id "
	"ngx.worker.pid ngx.worker.pids";

static const char lax_names[] =
	"kong.cache.get kong.cache.get_bulk kong.cache.probe kong.cache.invalidate "
	"kong.cache.invalidate_local kong.cache.safe_set kong.cache.renew "
	"kong.client.tls.disable_session_reuse kong.client.tls.get_full_client_certificate_chain "
	"kong.client.tls.request_client_certificate kong.client.tls.set_client_verify "
	"kong.nginx.get_statistics kong.node.get_memory_stats kong.service.set_retries "
	"kong.service.set_target kong.service.set_target_retry_callback kong.service.set_timeouts "
	"kong.service.set_tls_cert_key kong.service.set_tls_verify kong.service.set_tls_verify_depth "
	"kong.service.set_tls_verify_store kong.service.set_upstream kong.vault.get "
	"kong.vault.is_reference kong.vault.parse_reference kong.vault.try kong.vault.update "
	"kong.db.certificates.select kong.db.consumers.select kong.db.plugins.select "
	"kong.db.keys.select kong.db.keys.select_by_name kong.db.routes.select kong.db.services.select kong.db.snis.select kong.db.targets.select "
	"kong.db.upstreams.select kong.db.consumers.cache_key kong.db.consumers.select_by_cache_key "
	"kong.db.consumers.select_by_custom_id kong.db.consumers.select_by_username "
	"kong.db.consumers.select_by_username_ignore_case kong.db.routes.select_by_name "
	"kong.db.services.select_by_name kong.db.snis.select_by_name kong.db.upstreams.select_by_name "
	"kong.db.plugins.select_by_instance_name kong.db.targets.select_by_target ngx.config.debug "
	"ngx.location.capture ngx.location.capture_multi ngx.req.get_body_file ngx.req.set_body_file "
	"ngx.thread.kill ngx.thread.spawn ngx.thread.wait ngx.socket.connect ngx.socket.stream "
	"ngx.socket.tcp ngx.socket.udp";

/* setmetatable and getmetatable are there, safe ones: the test of escapes holds them. */
static const char never_names[] =
	"ngx.timer ngx.shared ngx.ssl ngx.process rawget rawset rawequal load loadstring loadfile dofile "
	"debug collectgarbage newproxy module package getfenv setfenv string.dump os.execute os.getenv "
	"os.remove os.rename os.exit os.tmpname os.setlocale io.open io.read io.write io.lines io.popen "
	"io.stdout io.stderr io.stdin ffi jit.on jit.off jit.flush jit.opt jit.util math.randomseed "
	"kong.worker_events kong.cluster_events kong.timer kong.db.connector kong.core_cache "
	"kong.licensing kong.rpc";

static const char strict_modules[] =
	"bit string.buffer table.clear table.clone table.isarray table.isempty table.new table.nkeys "
	"argon2 bcrypt cjson cjson.safe lyaml kong.constants kong.meta kong.tools.cjson kong.tools.gzip "
	"kong.tools.ip kong.tools.json kong.tools.mime_type kong.tools.rand kong.tools.sha1 "
	"kong.tools.sha256 kong.tools.string kong.tools.table kong.tools.time kong.tools.timestamp "
	"kong.tools.uri kong.tools.utils kong.tools.uuid kong.tools.yield ngx.base64 ngx.re ngx.req "
	"ngx.resp ngx.semaphore pl.stringx pl.tablex resty.aes resty.lock resty.md5 resty.random "
	"resty.sha resty.sha1 resty.sha224 resty.sha256 resty.sha384 resty.sha512 resty.string "
	"resty.upload resty.core.time resty.lrucache resty.lrucache.pureffi resty.cookie "
	"resty.ipmatcher resty.jit-uuid resty.jwt resty.jwt-validators resty.hmac resty.openssl "
	"resty.openssl.asn1 resty.openssl.bn resty.openssl.cipher resty.openssl.ctx resty.openssl.dh "
	"resty.openssl.digest resty.openssl.ec resty.openssl.ecx resty.openssl.err resty.openssl.hmac "
	"resty.openssl.kdf resty.openssl.mac resty.openssl.objects resty.openssl.pkcs12 "
	"resty.openssl.pkey resty.openssl.provider resty.openssl.rand resty.openssl.rsa "
	"resty.openssl.version resty.openssl.x509 resty.openssl.x509.altname resty.openssl.x509.chain "
	"resty.openssl.x509.crl resty.openssl.x509.csr resty.openssl.x509.name "
	"resty.openssl.x509.revoked resty.openssl.x509.store resty.openssl.x509.extension "
	"resty.openssl.x509.extension.dist_points resty.openssl.x509.extension.info_access socket.url "
	"tablepool version";

static const char lax_modules[] = "resty.dns.resolver resty.http resty.http_headers resty.redis";
/* clang-format on */

/* Names of the list that are nil ("missing") or not ("there"), joined; by walking from _G. */
static const char walk[] =
		"local function walk(names, wants_missing) local out = {} "
		"for name in names:gmatch('%S+') do local at = _G "
		"for part in name:gmatch('[^.]+') do "
		"if at ~= nil then at = at[part] end end "
		"if (at == nil) == wants_missing then out[#out + 1] = name end end "
		"return table.concat(out, ' ') end "
		"local function load(names, wants_missing) local out = {} "
		"for name in names:gmatch('%S+') do "
		"if pcall(require, name) ~= wants_missing then out[#out + 1] = name end end "
		"return table.concat(out, ' ') end ";

static void gives(struct bench *b, const char *call, const char *names, bool wants_missing)
{
	sl_auto_buf code = {.p = NULL};

	buf_printf(&code, "%s kong.response.exit(200, %s('%s', %s))", walk, call, names,
			wants_missing ? "true" : "false");
	assert_string_equal(bench_eval(b, buf_z(&code)), "");
}

static struct bench *in(void **state, enum vm_level level)
{
	struct bench *b = *state;
	struct why why = WHY_NONE;

	engine_free(b->engine);
	b->conf.level = level;
	b->conf.limits.by_default.cpu_ms = 2000;
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	return b;
}

static void everything_of_the_strict_list_is_there(void **state)
{
	gives(in(state, VM_STRICT), "walk", strict_names, true);
	gives(in(state, VM_LAX), "walk", strict_names, true);
}

static void everything_of_the_lax_list_is_there_in_lax(void **state)
{
	gives(in(state, VM_LAX), "walk", lax_names, true);
}

static void what_is_never_there_is_not_there(void **state)
{
	gives(in(state, VM_STRICT), "walk", never_names, false);
	gives(in(state, VM_LAX), "walk", never_names, false);
}

static void modules_can_be_required_where_they_are_listed(void **state)
{
	gives(in(state, VM_STRICT), "load", strict_modules, true);
	gives(in(state, VM_LAX), "load", strict_modules, true);
	gives(in(state, VM_LAX), "load", lax_modules, true);
	gives(in(state, VM_STRICT), "load",
			"resty.http resty.redis resty.dns.resolver io ffi os debug resty.shell",
			false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(everything_of_the_strict_list_is_there),
			BENCH_TEST(everything_of_the_lax_list_is_there_in_lax),
			BENCH_TEST(what_is_never_there_is_not_there),
			BENCH_TEST(modules_can_be_required_where_they_are_listed),
	};

	return cmocka_run_group_tests_name("allow_list", tests, bench_process, NULL);
}
