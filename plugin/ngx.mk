# SPDX-License-Identifier: Apache-2.0
# ngx.* and the modules plugins may require: plugin/libngx.a
noinst_LIBRARIES += plugin/libngx.a
plugin_libngx_a_SOURCES = \
	plugin/module.c plugin/module_part.h \
	plugin/module_bn.c \
	plugin/module_cjson.c \
	plugin/module_dns.c \
	plugin/module_hash.c \
	plugin/module_gzip.c \
	plugin/module_host.c \
	plugin/module_password.c \
	plugin/module_kdf.c \
	plugin/module_mac.c \
	plugin/module_pkcs12.c \
	plugin/module_facts.c plugin/module_facts.h \
	plugin/module_key.c plugin/module_key.h \
	plugin/module_pkey.c \
	plugin/module_pkey_make.c \
	plugin/module_x509.c plugin/module_x509.h \
	plugin/module_x509_access.c \
	plugin/module_x509_trust.c \
	plugin/module_yaml.c \
	plugin/ngx.c plugin/ngx_table.h \
	plugin/ngx_const.c \
	plugin/ngx_encode.c \
	plugin/ngx_field.c \
	plugin/ngx_hash.c \
	plugin/ngx_output.c \
	plugin/ngx_process.c \
	plugin/ngx_re.c \
	plugin/ngx_req.c \
	plugin/ngx_req_body.c \
	plugin/cosocket.h \
	plugin/ngx_refused.c \
	plugin/ngx_socket.c plugin/ngx_socket.h plugin/ngx_socket_table.c plugin/ngx_socket_words.c \
	plugin/ngx_thread.c \
	plugin/ngx_time.c \
	plugin/ngx_var.c \
	plugin/regex.c plugin/regex.h \
	plugin/yaml_value.h plugin/yaml_dump.c plugin/yaml_load.c plugin/yaml_scalar.c
plugin_libngx_a_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(CRYPTO_CFLAGS) $(ARGON2_CFLAGS) \
	$(YAML_CFLAGS)

nodist_plugin_libngx_a_SOURCES = plugin/module_sources.h

# Modules in Lua, as rows {name, text}; the name is the file's.
MODULE_LUA = \
	plugin/module_lua/_cache.lua \
	plugin/module_lua/_der_class.lua \
	plugin/module_lua/_digest_class.lua \
	plugin/module_lua/_fed_class.lua \
	plugin/module_lua/_dns.lua \
	plugin/module_lua/_http_proxy.lua \
	plugin/module_lua/_http_wire.lua \
	plugin/module_lua/_jwe.lua \
	plugin/module_lua/_jwk.lua \
	plugin/module_lua/_list_class.lua \
	plugin/module_lua/_lock.lua \
	plugin/module_lua/_pem.lua \
	plugin/module_lua/_vault.lua \
	plugin/module_lua/_socket.lua \
	plugin/module_lua/_thread.lua \
	plugin/module_lua/argon2.lua \
	plugin/module_lua/bcrypt.lua \
	plugin/module_lua/kong.constants.lua \
	plugin/module_lua/kong.meta.lua \
	plugin/module_lua/kong.tools.cjson.lua \
	plugin/module_lua/kong.tools.gzip.lua \
	plugin/module_lua/kong.tools.ip.lua \
	plugin/module_lua/kong.tools.json.lua \
	plugin/module_lua/kong.tools.mime_type.lua \
	plugin/module_lua/kong.tools.rand.lua \
	plugin/module_lua/kong.tools.sha1.lua \
	plugin/module_lua/kong.tools.sha256.lua \
	plugin/module_lua/kong.tools.string.lua \
	plugin/module_lua/kong.tools.table.lua \
	plugin/module_lua/kong.tools.time.lua \
	plugin/module_lua/kong.tools.timestamp.lua \
	plugin/module_lua/kong.tools.uri.lua \
	plugin/module_lua/kong.tools.utils.lua \
	plugin/module_lua/kong.tools.uuid.lua \
	plugin/module_lua/kong.tools.yield.lua \
	plugin/module_lua/lyaml.lua \
	plugin/module_lua/ngx.base64.lua \
	plugin/module_lua/ngx.re.lua \
	plugin/module_lua/ngx.req.lua \
	plugin/module_lua/ngx.resp.lua \
	plugin/module_lua/ngx.semaphore.lua \
	plugin/module_lua/pl.stringx.lua \
	plugin/module_lua/pl.tablex.lua \
	plugin/module_lua/resty.aes.lua \
	plugin/module_lua/resty.cookie.lua \
	plugin/module_lua/resty.core.time.lua \
	plugin/module_lua/resty.dns.resolver.lua \
	plugin/module_lua/resty.hmac.lua \
	plugin/module_lua/resty.http.lua \
	plugin/module_lua/resty.http_headers.lua \
	plugin/module_lua/resty.ipmatcher.lua \
	plugin/module_lua/resty.jit-uuid.lua \
	plugin/module_lua/resty.jwt-validators.lua \
	plugin/module_lua/resty.jwt.lua \
	plugin/module_lua/resty.lrucache.lua \
	plugin/module_lua/resty.lrucache.pureffi.lua \
	plugin/module_lua/resty.md5.lua \
	plugin/module_lua/resty.openssl.asn1.lua \
	plugin/module_lua/resty.openssl.bn.lua \
	plugin/module_lua/resty.openssl.cipher.lua \
	plugin/module_lua/resty.openssl.ctx.lua \
	plugin/module_lua/resty.openssl.dh.lua \
	plugin/module_lua/resty.openssl.digest.lua \
	plugin/module_lua/resty.openssl.ec.lua \
	plugin/module_lua/resty.openssl.ecx.lua \
	plugin/module_lua/resty.openssl.err.lua \
	plugin/module_lua/resty.openssl.hmac.lua \
	plugin/module_lua/resty.openssl.kdf.lua \
	plugin/module_lua/resty.openssl.lua \
	plugin/module_lua/resty.openssl.mac.lua \
	plugin/module_lua/resty.openssl.objects.lua \
	plugin/module_lua/resty.openssl.pkcs12.lua \
	plugin/module_lua/resty.openssl.pkey.lua \
	plugin/module_lua/resty.openssl.provider.lua \
	plugin/module_lua/resty.openssl.rand.lua \
	plugin/module_lua/resty.openssl.rsa.lua \
	plugin/module_lua/resty.openssl.version.lua \
	plugin/module_lua/resty.openssl.x509.altname.lua \
	plugin/module_lua/resty.openssl.x509.chain.lua \
	plugin/module_lua/resty.openssl.x509.crl.lua \
	plugin/module_lua/resty.openssl.x509.csr.lua \
	plugin/module_lua/resty.openssl.x509.extension.dist_points.lua \
	plugin/module_lua/resty.openssl.x509.extension.info_access.lua \
	plugin/module_lua/resty.openssl.x509.extension.lua \
	plugin/module_lua/resty.openssl.x509.lua \
	plugin/module_lua/resty.openssl.x509.name.lua \
	plugin/module_lua/resty.openssl.x509.revoked.lua \
	plugin/module_lua/resty.openssl.x509.store.lua \
	plugin/module_lua/resty.random.lua \
	plugin/module_lua/resty.redis.lua \
	plugin/module_lua/resty.sha.lua \
	plugin/module_lua/resty.sha1.lua \
	plugin/module_lua/resty.sha224.lua \
	plugin/module_lua/resty.sha256.lua \
	plugin/module_lua/resty.sha384.lua \
	plugin/module_lua/resty.sha512.lua \
	plugin/module_lua/resty.string.lua \
	plugin/module_lua/resty.upload.lua \
	plugin/module_lua/socket.url.lua \
	plugin/module_lua/tablepool.lua \
	plugin/module_lua/version.lua
EXTRA_DIST += $(MODULE_LUA)
BUILT_SOURCES += plugin/module_sources.h
CLEANFILES += plugin/module_sources.h
plugin/libngx_a-module.$(OBJEXT): plugin/module_sources.h
plugin/module_sources.h: $(MODULE_LUA)
	$(AM_V_GEN)$(MKDIR_P) plugin && for f in $(MODULE_LUA); do \
		n=$${f##*/} && printf '{"%s",\n' "$${n%.lua}" && \
		$(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' "$(srcdir)/$$f" && \
		printf '},\n' || exit 1; done > $@.tmp && mv $@.tmp $@

LIBNGX = plugin/libngx.a
NGX_LIBS = $(ARGON2_LIBS) -lcrypt $(PCRE2_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) $(YAML_LIBS)

check_PROGRAMS += tests/unit/test_ngx
tests_unit_test_ngx_SOURCES = tests/unit/test_ngx.c
tests_unit_test_ngx_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_ngx_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_ngx_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) \
	$(VM_LIBS) $(UNIT_LIBS)

MODULE_ROWS = tests/unit/module_rows.c tests/unit/module_rows.h
MODULE_TEST_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) $(VM_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_module_lua
tests_unit_test_module_lua_SOURCES = tests/unit/test_module_lua.c $(MODULE_ROWS)
tests_unit_test_module_lua_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_lua_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_lua_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_openssl
tests_unit_test_module_openssl_SOURCES = tests/unit/test_module_openssl.c $(MODULE_ROWS)
tests_unit_test_module_openssl_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_openssl_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_openssl_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_crypto
tests_unit_test_module_crypto_SOURCES = tests/unit/test_module_crypto.c $(MODULE_ROWS)
tests_unit_test_module_crypto_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_crypto_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_crypto_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_x509
tests_unit_test_module_x509_SOURCES = tests/unit/test_module_x509.c tests/unit/x509_case.h $(MODULE_ROWS)
tests_unit_test_module_x509_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_x509_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_x509_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_data
tests_unit_test_module_data_SOURCES = tests/unit/test_module_data.c tests/unit/x509_case.h $(MODULE_ROWS)
tests_unit_test_module_data_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_data_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_data_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_wrappers
tests_unit_test_module_wrappers_SOURCES = tests/unit/test_module_wrappers.c tests/unit/x509_case.h $(MODULE_ROWS)
tests_unit_test_module_wrappers_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_wrappers_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_wrappers_LDADD = $(MODULE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_module_yaml
tests_unit_test_module_yaml_SOURCES = tests/unit/test_module_yaml.c $(MODULE_ROWS)
tests_unit_test_module_yaml_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_module_yaml_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_module_yaml_LDADD = $(MODULE_TEST_LDADD)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_lyaml
tests_fuzz_fuzz_lyaml_SOURCES = tests/fuzz/fuzz_lyaml.c
tests_fuzz_fuzz_lyaml_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_lyaml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_lyaml_LDADD = $(LIBNGX) $(LIBPLUGIN) $(LIBBASE) $(YAML_LIBS) $(JANSSON_LIBS)
noinst_PROGRAMS += tests/fuzz/fuzz_x509 tests/fuzz/fuzz_module tests/fuzz/fuzz_client
tests_fuzz_fuzz_client_SOURCES = tests/fuzz/fuzz_client.c
tests_fuzz_fuzz_client_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_client_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_client_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) $(VM_LIBS)
tests_fuzz_fuzz_x509_SOURCES = tests/fuzz/fuzz_x509.c
tests_fuzz_fuzz_x509_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_x509_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_x509_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) $(VM_LIBS)
tests_fuzz_fuzz_module_SOURCES = tests/fuzz/fuzz_module.c
tests_fuzz_fuzz_module_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_module_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_module_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) $(VM_LIBS)
endif
