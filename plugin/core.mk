# SPDX-License-Identifier: Apache-2.0
# What needs no Lua: also linked by sluiced, sluice-control and sluicectl.
noinst_LIBRARIES += plugin/libplugin.a
plugin_libplugin_a_SOURCES = \
	plugin/exchange.c plugin/exchange_answer.c plugin/exchange.h \
	plugin/headers.c plugin/headers.h \
	plugin/pattern.c plugin/pattern.h \
	plugin/pattern_class.c plugin/pattern_class.h \
	plugin/phase.c plugin/phase.h \
	plugin/status.h \
	plugin/value.c plugin/value.h

LIBPLUGIN = plugin/libplugin.a

# The jail of sluice-worker and sluice-check: link $(LIBJAIL) $(LIBBASE) $(SECCOMP_LIBS).
noinst_LIBRARIES += plugin/libjail.a
plugin_libjail_a_SOURCES = \
	plugin/jail.c plugin/jail.h \
	plugin/jail_seccomp.c plugin/jail_seccomp.h plugin/jail_table.h
plugin_libjail_a_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)

LIBJAIL = plugin/libjail.a

check_PROGRAMS += tests/unit/test_jail
tests_unit_test_jail_SOURCES = tests/unit/test_jail.c
tests_unit_test_jail_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_jail_LDADD = $(LIBJAIL) $(LIBBASE) $(SECCOMP_LIBS) $(UNIT_LIBS)
