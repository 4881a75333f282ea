# SPDX-License-Identifier: Apache-2.0
# PDK, chain, engine: plugin/libengine.a

check_PROGRAMS += tests/unit/test_exchange
tests_unit_test_exchange_SOURCES = tests/unit/test_exchange.c
tests_unit_test_exchange_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_exchange_LDADD = $(LIBPLUGIN) $(LIBBASE) $(JANSSON_LIBS) $(UNIT_LIBS)
