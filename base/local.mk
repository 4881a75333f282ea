# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	base/arena.c base/arena.h \
	base/buf.c base/buf.h \
	base/check.c base/check.h \
	base/cleanup.h \
	base/clock.h \
	base/hex.c base/hex.h \
	base/http_date.c base/http_date.h \
	base/log.c base/log.h \
	base/str.c base/str.h \
	base/why.c base/why.h

LIBBASE = base/libbase.a

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c
tests_unit_test_base_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_base_LDADD = $(LIBBASE) $(UNIT_LIBS)
