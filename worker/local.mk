# SPDX-License-Identifier: Apache-2.0
# sluice-worker: serves traffic.  llhttp is compiled from the system's C sources.

noinst_LIBRARIES += worker/libllhttp.a
LLHTTP_C = worker/llhttp_llhttp.c worker/llhttp_api.c worker/llhttp_http.c
nodist_worker_libllhttp_a_SOURCES = $(LLHTTP_C)
LLHTTP_CPPFLAGS = -I$(LLHTTP_DIR)/../include/llhttp -DLLHTTP_STRICT_MODE=1
worker_libllhttp_a_CPPFLAGS = $(LLHTTP_CPPFLAGS)
worker_libllhttp_a_CFLAGS = $(SLUICE_CFLAGS) -w

$(LLHTTP_C):
	$(AM_V_GEN)$(MKDIR_P) worker && f=`basename $@ .c` && \
		echo "#include \"$(LLHTTP_DIR)/$${f#llhttp_}.c\"" >$@
CLEANFILES += $(LLHTTP_C)

# otlp.proto -> C, as shm/record.proto
worker/otlp.pb-c.c: worker/otlp.proto
	$(AM_V_GEN)$(MKDIR_P) worker && $(PROTOC_C) --proto_path=$(top_srcdir) --c_out=. worker/otlp.proto \
		&& $(SED) -i -e '1i #pragma GCC system_header' worker/otlp.pb-c.h
worker/otlp.pb-c.h: worker/otlp.pb-c.c
	@test -f $@ || { rm -f $<; $(MAKE) $(AM_MAKEFLAGS) $<; }
BUILT_SOURCES += worker/otlp.pb-c.h worker/otlp.pb-c.c
CLEANFILES += worker/otlp.pb-c.h worker/otlp.pb-c.c
EXTRA_DIST += worker/otlp.proto
noinst_LIBRARIES += worker/libotlp.a
nodist_worker_libotlp_a_SOURCES = worker/otlp.pb-c.c worker/otlp.pb-c.h
worker_libotlp_a_CPPFLAGS = -I$(top_builddir) $(PROTOBUF_C_CFLAGS)
worker_libotlp_a_CFLAGS = $(SLUICE_CFLAGS) -w

# What the tests and fuzz targets of the worker link, too.
noinst_LIBRARIES += worker/libworker.a
worker_libworker_a_SOURCES = \
	worker/account.c worker/account.h \
	worker/assoc.c worker/assoc.h \
	worker/balancer.c worker/balancer.h \
	worker/balancer_key.c worker/balancer_pick.c worker/balancer_probe.c \
	worker/certificates.c worker/certificates.h \
	worker/cidr.c worker/cidr.h \
	worker/client_hello.c worker/client_hello.h \
	worker/h1_body.c worker/h1_body.h \
	worker/h1_parse.c worker/h1_parse.h \
	worker/h1_scan.c worker/h1_scan.h \
	worker/io.c worker/io.h \
	worker/iobuf.c worker/iobuf.h \
	worker/out.c worker/out.h \
	worker/peer.c worker/dns.c worker/dns.h \
	worker/egress.c worker/egress.h \
	worker/real_ip.c worker/real_ip.h \
	worker/route.c worker/route.h worker/route_part.h \
	worker/route_attributes.c worker/route_load.c worker/route_regex.c \
	worker/timer.c worker/timer.h \
	worker/tls_context.c worker/tls_context.h \
	worker/tls_layer.c worker/tls_layer.h \
	worker/upstream_tls.c worker/upstream_tls.h \
	worker/upstream_path.c worker/upstream_path.h
worker_libworker_a_CPPFLAGS = $(AM_CPPFLAGS) $(LLHTTP_CPPFLAGS)
worker_libworker_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PCRE2_CFLAGS) $(PROTOBUF_C_CFLAGS) \
	$(JANSSON_CFLAGS) $(OPENSSL_CFLAGS)

pkglibexec_PROGRAMS += worker/sluice-worker
worker_sluice_worker_SOURCES = \
	worker/certificate_phase.c worker/certificate_phase.h \
	worker/client_cert.c worker/client_cert.h \
	worker/client_gone.c \
	worker/client_tls.c worker/client_tls.h \
	worker/https_only.c \
	worker/coconn.c worker/coconn.h \
	worker/conn.c worker/conn.h \
	worker/crash.c worker/crash.h \
	worker/cosocket.c worker/cosocket.h \
	worker/listener.c worker/listener.h \
	worker/main.c worker/worker.h \
	worker/master_link.c worker/master_link.h \
	worker/otlp.c worker/otlp.h \
	worker/otlp_http.c worker/otlp_http.h \
	worker/otlp_pack.c worker/otlp_pack.h \
	worker/reply_head.c worker/respond.c \
	worker/req.c worker/req.h worker/req_body.c worker/req_ops.c \
	worker/text.h worker/tunnel.c \
	worker/tls_server.c worker/tls_server.h \
	worker/tracing.c worker/tracing.h \
	worker/upconn.c worker/upconn.h \
	worker/upstream.c worker/upstream_head.c \
	worker/upstream_target.c worker/upstream_reply.c worker/upstream_send.c
worker_sluice_worker_CFLAGS = $(worker_libworker_a_CFLAGS)
worker_sluice_worker_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
worker_sluice_worker_LDADD = worker/libotlp.a worker/libworker.a worker/libllhttp.a \
	$(LIBENGINE) $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBJAIL) $(LIBPLUGIN) $(LIBSHM) $(LIBBASE) \
	$(VM_LIBS) $(NGX_LIBS) $(LIBPLUGIN_LIBS) $(EVENT_EXTRA_LIBS) $(EVENT_LIBS) $(SHM_LIBS) \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS)

# Runs a worker without a master: for the tests below and for profiles.
noinst_PROGRAMS += tests/unit/worker_spawn
tests_unit_worker_spawn_SOURCES = tests/unit/worker_spawn_main.c
tests_unit_worker_spawn_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) -Wno-write-strings -Wno-cast-qual
tests_unit_worker_spawn_LDADD = $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(CRYPTO_LIBS)

WORKER_TEST_LDADD = worker/libworker.a worker/libllhttp.a $(LIBPLUGIN) $(LIBBASE) \
	$(LIBPLUGIN_LIBS) $(EVENT_EXTRA_LIBS) $(EVENT_LIBS)
check_PROGRAMS += tests/unit/test_balancer tests/unit/test_certificates tests/unit/test_dns tests/unit/test_egress tests/unit/test_h1_parse tests/unit/test_route \
	tests/unit/test_tls_context \
	tests/unit/test_upstream_path \
	tests/unit/test_worker_parts
tests_unit_test_certificates_SOURCES = tests/unit/test_certificates.c tests/unit/snap_fixture.h
tests_unit_test_certificates_CFLAGS = $(UNIT_CFLAGS) $(PROTOBUF_C_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_certificates_LDADD = worker/libworker.a $(LIBPLUGIN) $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) \
	$(LIBPLUGIN_LIBS) $(SHM_LIBS) $(SNAPWRITE_LIBS) $(OPENSSL_LIBS) $(UNIT_LIBS)
tests_unit_test_balancer_SOURCES = tests/unit/test_balancer.c
tests_unit_test_balancer_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(PROTOBUF_C_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_balancer_LDADD = $(WORKER_TEST_LDADD) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(OPENSSL_LIBS) $(UNIT_LIBS)
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c
tests_unit_test_dns_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_dns_LDADD = $(WORKER_TEST_LDADD) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
tests_unit_test_egress_SOURCES = tests/unit/test_egress.c
tests_unit_test_egress_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_egress_LDADD = $(WORKER_TEST_LDADD) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
tests_unit_test_h1_parse_SOURCES = tests/unit/test_h1_parse.c
tests_unit_test_h1_parse_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_h1_parse_LDADD = $(WORKER_TEST_LDADD) $(UNIT_LIBS)
tests_unit_test_route_SOURCES = tests/unit/test_route.c tests/unit/snap_fixture.h
tests_unit_test_route_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(PCRE2_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_unit_test_route_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_route_LDADD = worker/libworker.a worker/libllhttp.a $(LIBSNAPWRITE) $(LIBENGINE) \
	$(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBSHM) $(LIBBASE) $(VM_LIBS) $(NGX_LIBS) \
	$(LIBPLUGIN_LIBS) $(EVENT_EXTRA_LIBS) $(EVENT_LIBS) $(SHM_LIBS) $(SNAPWRITE_LIBS) $(OPENSSL_LIBS) \
	$(UNIT_LIBS)
tests_unit_test_tls_context_SOURCES = tests/unit/test_tls_context.c
tests_unit_test_tls_context_CFLAGS = $(UNIT_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_tls_context_LDADD = $(WORKER_TEST_LDADD) $(OPENSSL_LIBS) $(UNIT_LIBS)
tests_unit_test_upstream_path_SOURCES = tests/unit/test_upstream_path.c
tests_unit_test_upstream_path_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_upstream_path_LDADD = $(WORKER_TEST_LDADD) $(UNIT_LIBS)
tests_unit_test_worker_parts_SOURCES = tests/unit/test_worker_parts.c
tests_unit_test_worker_parts_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_worker_parts_LDADD = $(WORKER_TEST_LDADD) $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_client_hello tests/fuzz/fuzz_h1 tests/fuzz/fuzz_chunked tests/fuzz/fuzz_target \
	tests/fuzz/fuzz_address tests/fuzz/fuzz_egress tests/fuzz/fuzz_route_match tests/fuzz/fuzz_tls_context
tests_fuzz_fuzz_egress_SOURCES = tests/fuzz/fuzz_egress.c
tests_fuzz_fuzz_egress_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_egress_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_egress_LDADD = $(WORKER_TEST_LDADD) $(LIBSHM) $(LIBBASE) $(SHM_LIBS)
tests_fuzz_fuzz_client_hello_SOURCES = tests/fuzz/fuzz_client_hello.c
tests_fuzz_fuzz_client_hello_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_client_hello_LDADD = $(WORKER_TEST_LDADD)
tests_fuzz_fuzz_tls_context_SOURCES = tests/fuzz/fuzz_tls_context.c
tests_fuzz_fuzz_tls_context_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_fuzz_fuzz_tls_context_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_tls_context_LDADD = $(WORKER_TEST_LDADD) $(OPENSSL_LIBS)
tests_fuzz_fuzz_route_match_SOURCES = tests/fuzz/fuzz_route_match.c
tests_fuzz_fuzz_route_match_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PCRE2_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_fuzz_fuzz_route_match_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_route_match_LDADD = $(tests_unit_test_route_LDADD)
tests_fuzz_fuzz_chunked_SOURCES = tests/fuzz/fuzz_chunked.c
tests_fuzz_fuzz_chunked_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_chunked_LDADD = $(WORKER_TEST_LDADD)
tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c
tests_fuzz_fuzz_target_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_target_LDADD = $(WORKER_TEST_LDADD)
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c
tests_fuzz_fuzz_address_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_address_LDADD = worker/libworker.a $(LIBSTREAM) $(LIBSHM) $(LIBBASE) $(STREAM_LIBS) $(SHM_LIBS)
tests_fuzz_fuzz_h1_SOURCES = tests/fuzz/fuzz_h1.c
tests_fuzz_fuzz_h1_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_h1_LDADD = $(WORKER_TEST_LDADD)
endif
