# SPDX-License-Identifier: Apache-2.0
# sluicectl.  Everything but main() is a library, so that tests can link it.
noinst_LIBRARIES += tools/libctl.a
tools_libctl_a_SOURCES = \
	tools/duration.c tools/duration.h \
	tools/file_text.c tools/file_text.h \
	tools/node_link.c tools/node_link.h \
	tools/render.c tools/render.h \
	tools/screen.c tools/screen.h \
	tools/spread.c tools/spread.h \
	tools/text_table.c tools/text_table.h \
	tools/trial_ask.c tools/trial_ask.h \
	tools/trial_case.c tools/trial_case.h \
	tools/trial_expect.c tools/trial_expect.h tools/trial_http.c tools/trial_http.h \
	tools/trial_show.c tools/trial_show.h \
	tools/top_model.c tools/top_model.h \
	tools/verb_drain.c \
	tools/verb_latency.c \
	tools/verb_lint.c \
	tools/verb_new.c \
	tools/verb_node.c \
	tools/verb_steering.c \
	tools/verb_test.c \
	tools/verb_top.c \
	tools/verb_trace.c \
	tools/verb_upgrade.c \
	tools/verb_workers.c \
	tools/verbs.c tools/verbs.h
tools_libctl_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

LIBCTL = tools/libctl.a
CTL_LDADD = $(LIBCTL) $(LIBPLUGIN) $(LIBTRACE) $(LIBSHM) $(LIBBASE) $(LIBPLUGIN_LIBS) $(SHM_LIBS) $(EBPF_LIBS)

bin_PROGRAMS += tools/sluicectl
tools_sluicectl_SOURCES = tools/sluicectl.c
tools_sluicectl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tools_sluicectl_LDADD = $(CTL_LDADD)

EXTRA_DIST += tools/build tools/packages tools/quickstart tools/quickstart-origin.py tools/setup

check_PROGRAMS += tests/unit/test_sluicectl
tests_unit_test_sluicectl_SOURCES = tests/unit/test_sluicectl.c
tests_unit_test_sluicectl_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_sluicectl_LDADD = $(CTL_LDADD) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_top_model
tests_unit_test_top_model_SOURCES = tests/unit/test_top_model.c
tests_unit_test_top_model_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_top_model_LDADD = $(CTL_LDADD) $(UNIT_LIBS)

dist_man_MANS = docs/man/sluice-control.8 docs/man/sluicectl.1 docs/man/sluiced.8
