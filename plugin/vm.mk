# SPDX-License-Identifier: Apache-2.0
# The VM, its budgets and sandbox: plugin/libvm.a
check_PROGRAMS += tests/unit/test_pattern
tests_unit_test_pattern_SOURCES = tests/unit/test_pattern.c
tests_unit_test_pattern_CFLAGS = $(UNIT_CFLAGS) $(LUAJIT_CFLAGS)
tests_unit_test_pattern_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LUAJIT_LIBS) $(UNIT_LIBS)
