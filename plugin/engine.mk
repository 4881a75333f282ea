# SPDX-License-Identifier: Apache-2.0
# What kong.* and ngx.* share: plugin/libpdk.a.  PDK, chain, engine: plugin/libengine.a
noinst_LIBRARIES += plugin/libpdk.a plugin/libengine.a
plugin_libpdk_a_SOURCES = \
	plugin/inflate.c plugin/inflate.h \
	plugin/pdk.c plugin/pdk.h \
	plugin/pdk_subtable.c plugin/pdk_subtable.h \
	plugin/pdk_args.c plugin/pdk_args.h \
	plugin/pdk_body.c plugin/pdk_body.h \
	plugin/pdk_exit.c plugin/pdk_exit.h \
	plugin/pdk_grpc.c plugin/pdk_grpc.h \
	plugin/pdk_headers.c plugin/pdk_headers.h \
	plugin/pdk_log.c plugin/pdk_log.h \
	plugin/pdk_multipart.c plugin/pdk_multipart.h \
	plugin/pdk_query.c plugin/pdk_query.h \
	plugin/pdk_read.c plugin/pdk_read.h \
	plugin/pdk_request_table.c \
	plugin/value_lua.c plugin/value_lua.h
plugin_libpdk_a_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS)

plugin_libengine_a_SOURCES = \
	plugin/cache_store.c plugin/cache_store.h \
	plugin/chain.c plugin/chain.h \
	plugin/chain_breaker.c plugin/chain_breaker.h \
	plugin/chain_ctx.c \
	plugin/chain_run.c plugin/chain_run.h plugin/chain_now.h \
	plugin/chain_thread.c plugin/chain_thread.h \
	plugin/chain_trace.c plugin/chain_trace.h \
	plugin/engine.c plugin/engine.h \
	plugin/engine_configure.c plugin/engine_configure.h \
	plugin/engine_instance.c plugin/engine_instance.h \
	plugin/engine_scope.c plugin/engine_scope.h \
	plugin/engine_version.c plugin/engine_version.h \
	plugin/group_find.c plugin/group_find.h \
	plugin/pdk_cache.c \
	plugin/pdk_client.c \
	plugin/pdk_client_auth.c \
	plugin/pdk_client_tls.c \
	plugin/pdk_ctx.c \
	plugin/pdk_db.c plugin/pdk_db.h plugin/pdk_db_key.c plugin/pdk_dns.c \
	plugin/pdk_held.c plugin/pdk_held.h \
	plugin/pdk_inspect.c plugin/pdk_inspect.h \
	plugin/pdk_jwe.c \
	plugin/pdk_kong_log.c \
	plugin/pdk_node.c \
	plugin/pdk_open.c plugin/pdk_part.h \
	plugin/pdk_request.c \
	plugin/pdk_response.c \
	plugin/pdk_serialize.c plugin/pdk_serialize.h \
	plugin/pdk_service.c \
	plugin/pdk_service_request.c \
	plugin/pdk_service_response.c \
	plugin/pdk_service_tls.c \
	plugin/pdk_sluice.c \
	plugin/pdk_span.c plugin/pdk_span.h \
	plugin/pdk_span_field.c \
	plugin/pdk_table.c \
	plugin/pdk_telemetry.c \
	plugin/pdk_tracing.c \
	plugin/pdk_vault.c \
	plugin/plan.c plugin/plan.h \
	plugin/vault_config.c
plugin_libengine_a_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)

LIBPDK = plugin/libpdk.a
LIBENGINE = plugin/libengine.a

check_PROGRAMS += tests/unit/test_inflate
tests_unit_test_inflate_SOURCES = tests/unit/test_inflate.c
tests_unit_test_inflate_CFLAGS = $(UNIT_CFLAGS) $(ZLIB_CFLAGS)
tests_unit_test_inflate_LDADD = plugin/libpdk.a $(LIBBASE) $(ZLIB_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_exchange
tests_unit_test_exchange_SOURCES = tests/unit/test_exchange.c
tests_unit_test_exchange_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_exchange_LDADD = $(LIBPLUGIN) $(LIBBASE) $(JANSSON_LIBS) $(UNIT_LIBS)

# A program that runs plugins: $(AM_LDFLAGS) $(VM_LDFLAGS), and behind its own archives
# $(ENGINE_LDADD).
ENGINE_LDADD = $(LIBENGINE) $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBSHM) $(LIBBASE) \
	$(NGX_LIBS) $(VM_LIBS) $(SHM_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(CRYPTO_LIBS)

# Prints docs/pdk.md.
noinst_PROGRAMS += plugin/pdk-doc
plugin_pdk_doc_SOURCES = plugin/pdk_doc.c
plugin_pdk_doc_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS)
plugin_pdk_doc_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
plugin_pdk_doc_LDADD = $(ENGINE_LDADD)

ENGINE_BENCH = tests/unit/engine_bench.c tests/unit/engine_bench.h
PDK_ROWS = tests/unit/pdk_rows.c tests/unit/pdk_rows.h $(ENGINE_BENCH)
ENGINE_TEST_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS) \
	$(CRYPTO_CFLAGS)
ENGINE_TEST_LDADD = $(LIBSNAPWRITE) $(ENGINE_LDADD) $(SNAPWRITE_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_chain
tests_unit_test_chain_SOURCES = tests/unit/test_chain.c $(ENGINE_BENCH)
tests_unit_test_chain_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_chain_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_chain_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_chain_breaker
tests_unit_test_chain_breaker_SOURCES = tests/unit/test_chain_breaker.c $(ENGINE_BENCH)
tests_unit_test_chain_breaker_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_chain_breaker_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_chain_breaker_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_group_scope
tests_unit_test_group_scope_SOURCES = tests/unit/test_group_scope.c tests/unit/snap_fixture.h $(ENGINE_BENCH)
tests_unit_test_group_scope_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_group_scope_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_group_scope_LDADD = $(ENGINE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_chain_condition
tests_unit_test_chain_condition_SOURCES = tests/unit/test_chain_condition.c $(ENGINE_BENCH)
tests_unit_test_chain_condition_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_chain_condition_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_chain_condition_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_load
tests_unit_test_load_SOURCES = tests/unit/test_load.c $(ENGINE_BENCH)
tests_unit_test_load_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_load_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_load_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_retry
tests_unit_test_retry_SOURCES = tests/unit/test_retry.c $(ENGINE_BENCH)
tests_unit_test_retry_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_retry_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_retry_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_request
tests_unit_test_pdk_request_SOURCES = tests/unit/test_pdk_request.c $(PDK_ROWS)
tests_unit_test_pdk_request_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_request_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_request_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_service
tests_unit_test_pdk_service_SOURCES = tests/unit/test_pdk_service.c $(PDK_ROWS)
tests_unit_test_pdk_service_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_service_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_service_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_rest
tests_unit_test_pdk_rest_SOURCES = tests/unit/test_pdk_rest.c $(PDK_ROWS)
tests_unit_test_pdk_rest_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_rest_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_rest_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_answer
tests_unit_test_pdk_answer_SOURCES = tests/unit/test_pdk_answer.c $(PDK_ROWS)
tests_unit_test_pdk_answer_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_answer_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_answer_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_log
tests_unit_test_pdk_log_SOURCES = tests/unit/test_pdk_log.c $(PDK_ROWS)
tests_unit_test_pdk_log_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_log_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_log_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_ngx_exact
tests_unit_test_ngx_exact_SOURCES = tests/unit/test_ngx_exact.c $(PDK_ROWS)
tests_unit_test_ngx_exact_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_ngx_exact_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_ngx_exact_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_allow_list
tests_unit_test_allow_list_SOURCES = tests/unit/test_allow_list.c $(PDK_ROWS)
tests_unit_test_allow_list_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_allow_list_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_allow_list_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_chain_contract
tests_unit_test_chain_contract_SOURCES = tests/unit/test_chain_contract.c $(PDK_ROWS)
tests_unit_test_chain_contract_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_chain_contract_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_chain_contract_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_bodies
tests_unit_test_pdk_bodies_SOURCES = tests/unit/test_pdk_bodies.c $(PDK_ROWS)
tests_unit_test_pdk_bodies_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_bodies_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_bodies_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_jwe
tests_unit_test_pdk_jwe_SOURCES = tests/unit/test_pdk_jwe.c $(PDK_ROWS)
tests_unit_test_pdk_jwe_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_jwe_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_jwe_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_subtable
tests_unit_test_pdk_subtable_SOURCES = tests/unit/test_pdk_subtable.c
tests_unit_test_pdk_subtable_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_subtable_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_subtable_LDADD = $(ENGINE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_pdk_contract
tests_unit_test_pdk_contract_SOURCES = tests/unit/test_pdk_contract.c tests/unit/pdk_contract.h \
	tests/unit/pdk_phases.h $(ENGINE_BENCH)
tests_unit_test_pdk_contract_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_contract_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_contract_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_sluice
tests_unit_test_pdk_sluice_SOURCES = tests/unit/test_pdk_sluice.c $(PDK_ROWS)
tests_unit_test_pdk_sluice_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_sluice_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_sluice_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_vault
tests_unit_test_pdk_vault_SOURCES = tests/unit/test_pdk_vault.c $(PDK_ROWS)
tests_unit_test_pdk_vault_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_vault_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_vault_LDADD = $(ENGINE_TEST_LDADD)
check_PROGRAMS += tests/unit/test_pdk_cache
tests_unit_test_pdk_cache_SOURCES = tests/unit/test_pdk_cache.c $(PDK_ROWS)
tests_unit_test_pdk_cache_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_pdk_cache_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_pdk_cache_LDADD = $(ENGINE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_tracing
tests_unit_test_tracing_SOURCES = tests/unit/test_tracing.c $(PDK_ROWS)
tests_unit_test_tracing_CFLAGS = $(ENGINE_TEST_CFLAGS)
tests_unit_test_tracing_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_tracing_LDADD = $(ENGINE_TEST_LDADD)

check_PROGRAMS += tests/unit/test_value
tests_unit_test_value_SOURCES = tests/unit/test_value.c
tests_unit_test_value_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_value_LDADD = $(LIBPLUGIN) $(LIBBASE) $(JANSSON_LIBS) -lm $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_value_pack
tests_fuzz_fuzz_value_pack_SOURCES = tests/fuzz/fuzz_value_pack.c
tests_fuzz_fuzz_value_pack_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_value_pack_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_value_pack_LDADD = $(LIBPLUGIN) $(LIBBASE) $(JANSSON_LIBS)
noinst_PROGRAMS += tests/fuzz/fuzz_multipart tests/fuzz/fuzz_args tests/fuzz/fuzz_regex
tests_fuzz_fuzz_args_SOURCES = tests/fuzz/fuzz_args.c
tests_fuzz_fuzz_args_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS)
tests_fuzz_fuzz_args_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_args_LDADD = $(ENGINE_LDADD)
tests_fuzz_fuzz_regex_SOURCES = tests/fuzz/fuzz_regex.c
tests_fuzz_fuzz_regex_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_regex_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_regex_LDADD = $(ENGINE_LDADD)
tests_fuzz_fuzz_multipart_SOURCES = tests/fuzz/fuzz_multipart.c
tests_fuzz_fuzz_multipart_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS)
tests_fuzz_fuzz_multipart_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_multipart_LDADD = $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(VM_LIBS) $(JANSSON_LIBS)
endif
