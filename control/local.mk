# SPDX-License-Identifier: Apache-2.0
# sluice-control: the store, the entities, the Admin API, declarative files, the feed of nodes.
CONTROL_SCHEMAS = \
	control/schemas/ca_certificates.json \
	control/schemas/certificates.json \
	control/schemas/consumer_group_consumers.json \
	control/schemas/consumer_groups.json \
	control/schemas/consumers.json \
	control/schemas/custom_plugins.json \
	control/schemas/key_sets.json \
	control/schemas/keys.json \
	control/schemas/plugins.json \
	control/schemas/routes.json \
	control/schemas/services.json \
	control/schemas/snis.json \
	control/schemas/targets.json \
	control/schemas/upstreams.json \
	control/schemas/vaults.json
CONTROL_SCHEMAS_INC = $(CONTROL_SCHEMAS:.json=.inc)
EXTRA_DIST += $(CONTROL_SCHEMAS)
BUILT_SOURCES += $(CONTROL_SCHEMAS_INC)
CLEANFILES += $(CONTROL_SCHEMAS_INC)

# The text as a C string, line by line.
control/schemas/%.inc: control/schemas/%.json
	$(AM_V_GEN)$(MKDIR_P) control/schemas && \
	$(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^ */"/' -e 's/$$/\\n"/' $< > $@

control/libcontrol_a-entity.$(OBJEXT): $(CONTROL_SCHEMAS_INC)

noinst_LIBRARIES += control/libcontrol.a
control_libcontrol_a_SOURCES = \
	control/admin.c control/admin.h \
	control/admin_cluster.c \
	control/admin_config.c \
	control/admin_crud.c \
	control/admin_form.c control/admin_form.h \
	control/admin_health.c control/admin_metrics.c control/admin_info.c \
	control/admin_list.c \
	control/admin_member.c \
	control/admin_multipart.c \
	control/admin_path.c control/admin_path.h \
	control/admin_schema.c \
	control/certificate.c control/certificate.h \
	control/declarative.c control/declarative.h \
	control/declarative_link.c control/declarative_link.h \
	control/entity.c control/entity.h \
	control/fault.c control/fault.h \
	control/feed.c control/feed.h \
	control/feed_blob.c \
	control/feed_node.c control/feed_node.h \
	control/feed_update.c control/feed_update.h \
	control/key.c control/key.h \
	control/loader.c control/loader.h \
	control/loader_apply.c control/loader_apply.h \
	control/loader_error.c \
	control/loader_export.c \
	control/model.c control/model.h \
	control/node_status.c control/node_status.h \
	control/op.c control/op.h \
	control/plugin_code.c control/plugin_code.h \
	control/plugin_form.c control/plugin_form.h \
	control/plugin_instance.c control/plugin_instance.h \
	control/plugin_source.c control/plugin_source.h \
	control/spec.c control/spec.h control/spec_code.c control/spec_part.h \
	control/store.c control/store.h control/store_txn.h \
	control/store_index.c \
	control/store_log.c \
	control/upstream.c control/upstream.h \
	control/verdicts.c control/verdicts.h \
	control/write.c control/write.h \
	control/write_index.c control/write_index.h \
	control/write_input.c control/write_input.h
CONTROL_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(LMDB_CFLAGS) \
	$(OPENSSL_CFLAGS) $(PROTOBUF_C_CFLAGS) $(YAML_CFLAGS)
control_libcontrol_a_CPPFLAGS = $(CONTROL_CPPFLAGS)

LIBCONTROL = control/libcontrol.a
CONTROL_LDADD = $(LIBCONTROL) $(LIBSTREAM) $(LIBPLUGIN) $(LIBSHM) $(LIBBASE) $(STREAM_LIBS) \
	$(LIBPLUGIN_LIBS) $(SHM_LIBS)

pkglibexec_PROGRAMS += control/sluice-control
control_sluice_control_SOURCES = control/main.c
control_sluice_control_CPPFLAGS = $(CONTROL_CPPFLAGS)
control_sluice_control_LDADD = $(CONTROL_LDADD)

CONTROL_TESTS = tests/unit/test_admin_form tests/unit/test_declarative tests/unit/test_entities \
	tests/unit/test_store
check_PROGRAMS += $(CONTROL_TESTS)
CONTROL_TEST_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS)
tests_unit_test_admin_form_SOURCES = tests/unit/test_admin_form.c tests/unit/control_case.h
tests_unit_test_admin_form_CFLAGS = $(CONTROL_TEST_CFLAGS)
tests_unit_test_admin_form_LDADD = $(CONTROL_LDADD) $(UNIT_LIBS)
tests_unit_test_declarative_SOURCES = tests/unit/test_declarative.c
tests_unit_test_declarative_CFLAGS = $(CONTROL_TEST_CFLAGS)
tests_unit_test_declarative_LDADD = $(CONTROL_LDADD) $(UNIT_LIBS)
tests_unit_test_entities_SOURCES = tests/unit/test_entities.c
tests_unit_test_entities_CFLAGS = $(CONTROL_TEST_CFLAGS)
tests_unit_test_entities_LDADD = $(CONTROL_LDADD) $(UNIT_LIBS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c
tests_unit_test_store_CFLAGS = $(CONTROL_TEST_CFLAGS)
tests_unit_test_store_LDADD = $(CONTROL_LDADD) $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_admin_form tests/fuzz/fuzz_declarative
tests_fuzz_fuzz_admin_form_SOURCES = tests/fuzz/fuzz_admin_form.c
tests_fuzz_fuzz_admin_form_CPPFLAGS = $(CONTROL_CPPFLAGS)
tests_fuzz_fuzz_admin_form_LDADD = $(CONTROL_LDADD)
tests_fuzz_fuzz_admin_form_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_declarative_SOURCES = tests/fuzz/fuzz_declarative.c
tests_fuzz_fuzz_declarative_CPPFLAGS = $(CONTROL_CPPFLAGS)
tests_fuzz_fuzz_declarative_LDADD = $(CONTROL_LDADD)
tests_fuzz_fuzz_declarative_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
