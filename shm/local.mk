# SPDX-License-Identifier: Apache-2.0
# The contract between processes.  Others link $(LIBSHM) $(LIBBASE) $(SHM_LIBS); sluiced alone
# $(LIBSNAPWRITE) before them and $(SNAPWRITE_LIBS).

# record.proto → C, compiled without our warnings; neither do its macros raise them
# (clang asks for the step over an integer where one casts const away)
shm/record.pb-c.c: shm/record.proto
	$(AM_V_GEN)$(MKDIR_P) shm && $(PROTOC_C) --proto_path=$(top_srcdir) --c_out=. shm/record.proto \
		&& $(SED) -i -e '1i #pragma GCC system_header' \
			-e 's/(char \*)protobuf_c_empty_string/(char *)(uintptr_t)protobuf_c_empty_string/g' \
			shm/record.pb-c.h
shm/record.pb-c.h: shm/record.pb-c.c
	@test -f $@ || { rm -f $<; $(MAKE) $(AM_MAKEFLAGS) $<; }
BUILT_SOURCES += shm/record.pb-c.h shm/record.pb-c.c
CLEANFILES += shm/record.pb-c.h shm/record.pb-c.c
EXTRA_DIST += shm/record.proto

noinst_LIBRARIES += shm/librecord.a
nodist_shm_librecord_a_SOURCES = shm/record.pb-c.c shm/record.pb-c.h
shm_librecord_a_CPPFLAGS = -I$(top_builddir) $(PROTOBUF_C_CFLAGS)
shm_librecord_a_CFLAGS = $(SLUICE_CFLAGS) -w

noinst_LIBRARIES += shm/libshm.a
shm_libshm_a_SOURCES = \
	shm/area.c shm/area.h \
	shm/board.c shm/board.h shm/board_layout.h \
	shm/breaker.c shm/breaker.h \
	shm/conf.c shm/conf.h shm/conf_table.h \
	shm/conf_address.c \
	shm/conf_file.c shm/conf_file.h \
	shm/conf_row.c shm/conf_row.h \
	shm/conf_rule.c shm/conf_rule.h \
	shm/dict.c shm/dict.h shm/dict_layout.h shm/dict_probe.h \
	shm/dict_entry.c shm/dict_hold.c shm/dict_incr.c shm/dict_probe.c shm/dict_stripe.c \
	shm/histogram.c shm/histogram.h \
	shm/ipc.c shm/ipc.h \
	shm/ipc_inherit.c \
	shm/lat.c shm/lat.h \
	shm/probe.c shm/probe.h \
	shm/programs.c shm/programs.h \
	shm/route_index.c shm/route_index.h \
	shm/snap_env.c shm/snap_env.h \
	shm/snap_layout.h \
	shm/snap_view.h \
	shm/snapshot.c shm/snapshot.h \
	shm/stat.c shm/stat.h \
	shm/health.c shm/health.h \
	shm/traffic.c shm/traffic.h \
	shm/yaml_json.c shm/yaml_json.h
shm_libshm_a_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBEXECDIR='"$(pkglibexecdir)"' \
	-DSBINDIR='"$(sbindir)"' -DBINDIR='"$(bindir)"'
shm_libshm_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(YAML_CFLAGS)

# sluiced only: a worker must not be able to write
noinst_LIBRARIES += shm/libsnapwrite.a
shm_libsnapwrite_a_SOURCES = \
	shm/instance_index_write.c shm/instance_index_write.h \
	shm/route_index_write.c shm/route_index_write.h \
	shm/snap_blob.c \
	shm/snap_record.c shm/snap_record.h \
	shm/snap_txn.c shm/snap_txn.h \
	shm/snap_verify.c shm/snap_verify.h \
	shm/snap_writer.h \
	shm/snapshot_write.c shm/snapshot_write.h
shm_libsnapwrite_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)

LIBSNAPWRITE = shm/libsnapwrite.a
SNAPWRITE_LIBS = $(CRYPTO_LIBS)
LIBSHM = shm/libshm.a shm/librecord.a
SHM_LIBS = $(LMDB_LIBS) $(PROTOBUF_C_LIBS) $(YAML_LIBS)

SHM_TESTS = tests/unit/test_conf tests/unit/test_ipc tests/unit/test_board
check_PROGRAMS += $(SHM_TESTS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
tests_unit_test_conf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_conf_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
tests_unit_test_ipc_SOURCES = tests/unit/test_ipc.c
tests_unit_test_ipc_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ipc_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
tests_unit_test_board_SOURCES = tests/unit/test_board.c
tests_unit_test_board_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_board_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_health
tests_unit_test_health_SOURCES = tests/unit/test_health.c
tests_unit_test_health_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_health_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_traffic
tests_unit_test_traffic_SOURCES = tests/unit/test_traffic.c
tests_unit_test_traffic_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_traffic_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_lat
tests_unit_test_lat_SOURCES = tests/unit/test_lat.c
tests_unit_test_lat_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_lat_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_breaker
tests_unit_test_breaker_SOURCES = tests/unit/test_breaker.c
tests_unit_test_breaker_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_breaker_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_dict
tests_unit_test_dict_SOURCES = tests/unit/test_dict.c
tests_unit_test_dict_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_dict_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_dict_incr
tests_unit_test_dict_incr_SOURCES = tests/unit/test_dict_incr.c
tests_unit_test_dict_incr_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_dict_incr_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(UNIT_LIBS)

SNAP_TEST_LIBS = $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(SNAPWRITE_LIBS) $(UNIT_LIBS)
EXTRA_DIST += tests/unit/snap_fixture.h
check_PROGRAMS += tests/unit/test_snapshot tests/unit/test_snapshot_faults tests/unit/test_route_index
tests_unit_test_snapshot_SOURCES = tests/unit/test_snapshot.c
tests_unit_test_snapshot_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_snapshot_LDADD = $(SNAP_TEST_LIBS)
tests_unit_test_route_index_SOURCES = tests/unit/test_route_index.c
tests_unit_test_route_index_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_route_index_LDADD = $(SNAP_TEST_LIBS)
tests_unit_test_snapshot_faults_SOURCES = tests/unit/test_snapshot_faults.c
tests_unit_test_snapshot_faults_CFLAGS = $(UNIT_CFLAGS) $(LMDB_CFLAGS)
tests_unit_test_snapshot_faults_LDADD = $(SNAP_TEST_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_ipc tests/fuzz/fuzz_conf tests/fuzz/fuzz_snap_record \
	tests/fuzz/fuzz_route
tests_fuzz_fuzz_route_SOURCES = tests/fuzz/fuzz_route.c
tests_fuzz_fuzz_route_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_fuzz_fuzz_route_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_route_LDADD = $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(SNAPWRITE_LIBS)
tests_fuzz_fuzz_ipc_SOURCES = tests/fuzz/fuzz_ipc.c
tests_fuzz_fuzz_ipc_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_ipc_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_conf_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS)
tests_fuzz_fuzz_snap_record_SOURCES = tests/fuzz/fuzz_snap_record.c
tests_fuzz_fuzz_snap_record_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS)
tests_fuzz_fuzz_snap_record_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_snap_record_LDADD = $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(SNAPWRITE_LIBS)
endif
