# SPDX-License-Identifier: Apache-2.0
# What kong.* and ngx.* share: plugin/libpdk.a.  PDK, chain, engine: plugin/libengine.a
noinst_LIBRARIES += plugin/libpdk.a
plugin_libpdk_a_SOURCES = \
	plugin/pdk.c plugin/pdk.h \
	plugin/pdk_request_table.c \
	plugin/value_lua.c plugin/value_lua.h
plugin_libpdk_a_CFLAGS = $(AM_CFLAGS) $(LUAJIT_CFLAGS) $(JANSSON_CFLAGS)

LIBPDK = plugin/libpdk.a

check_PROGRAMS += tests/unit/test_exchange
tests_unit_test_exchange_SOURCES = tests/unit/test_exchange.c
tests_unit_test_exchange_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_exchange_LDADD = $(LIBPLUGIN) $(LIBBASE) $(JANSSON_LIBS) $(UNIT_LIBS)
