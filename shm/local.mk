# SPDX-License-Identifier: Apache-2.0
# The contract between processes.  Others link $(LIBSHM) $(SHM_LIBS), and sluiced alone
# $(LIBSNAPWRITE) before them.

# record.proto → C, compiled without our warnings
shm/record.pb-c.c: shm/record.proto
	$(AM_V_GEN)$(MKDIR_P) shm && $(PROTOC_C) --proto_path=$(top_srcdir) --c_out=. shm/record.proto
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
	shm/board.c shm/board.h \
	shm/conf.c shm/conf.h shm/conf_table.h \
	shm/conf_address.c \
	shm/conf_file.c shm/conf_file.h \
	shm/conf_row.c shm/conf_row.h \
	shm/conf_rule.c shm/conf_rule.h \
	shm/ipc.c shm/ipc.h \
	shm/ipc_inherit.c \
	shm/programs.c shm/programs.h \
	shm/stat.c shm/stat.h
shm_libshm_a_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBEXECDIR='"$(pkglibexecdir)"' \
	-DSBINDIR='"$(sbindir)"' -DBINDIR='"$(bindir)"'
shm_libshm_a_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS) $(PROTOBUF_C_CFLAGS) $(YAML_CFLAGS)

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
