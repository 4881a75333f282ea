# SPDX-License-Identifier: Apache-2.0
# ngx.* and the modules plugins may require: plugin/libngx.a
noinst_LIBRARIES += plugin/libngx.a
plugin_libngx_a_SOURCES = \
	plugin/module_cjson.c \
	plugin/ngx.c plugin/ngx_table.h \
	plugin/ngx_const.c \
	plugin/ngx_encode.c \
	plugin/ngx_field.c \
	plugin/ngx_hash.c \
	plugin/ngx_output.c \
	plugin/ngx_process.c \
	plugin/ngx_re.c \
	plugin/ngx_req.c \
	plugin/ngx_req_body.c \
	plugin/ngx_time.c \
	plugin/ngx_var.c \
	plugin/regex.c plugin/regex.h
plugin_libngx_a_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(CRYPTO_CFLAGS)

LIBNGX = plugin/libngx.a
NGX_LIBS = $(PCRE2_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_ngx
tests_unit_test_ngx_SOURCES = tests/unit/test_ngx.c
tests_unit_test_ngx_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_ngx_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_ngx_LDADD = $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(NGX_LIBS) \
	$(VM_LIBS) $(UNIT_LIBS)
