# SPDX-License-Identifier: Apache-2.0
# What needs no Lua: also linked by sluiced, sluice-control and sluicectl.
noinst_LIBRARIES += plugin/libplugin.a
plugin_libplugin_a_SOURCES = \
	plugin/exchange.c plugin/exchange_answer.c plugin/exchange.h \
	plugin/headers.c plugin/headers.h \
	plugin/phase.c plugin/phase.h \
	plugin/status.h

LIBPLUGIN = plugin/libplugin.a
