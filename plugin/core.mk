# SPDX-License-Identifier: Apache-2.0
# What needs no Lua: also linked by sluiced, sluice-control and sluicectl.
noinst_LIBRARIES += plugin/libplugin.a
plugin_libplugin_a_SOURCES = \
	plugin/certificate_pair.c plugin/certificate_pair.h \
	plugin/check_client.c plugin/check_client.h \
	plugin/condition.c plugin/condition.h plugin/condition_check.c plugin/condition_entity.c \
	plugin/condition_field.c plugin/condition_lex.c plugin/condition_list.c \
	plugin/condition_literal.c plugin/condition_macro.c plugin/condition_member.c \
	plugin/condition_parse.c plugin/condition_parser.h plugin/condition_part.h \
	plugin/condition_regex.c plugin/condition_run.c plugin/condition_run.h \
	plugin/condition_value.c plugin/condition_value.h \
	plugin/dns_message.c plugin/dns_message.h \
	plugin/exchange.c plugin/exchange_answer.c plugin/exchange.h \
	plugin/groups.c plugin/groups.h \
	plugin/headers.c plugin/headers.h \
	plugin/limits.c plugin/limits.h \
	plugin/path.c plugin/path.h \
	plugin/query.c plugin/query.h \
	plugin/vault.c plugin/vault.h \
	plugin/pattern.c plugin/pattern.h \
	plugin/pattern_class.c plugin/pattern_class.h \
	plugin/phase.c plugin/phase.h \
	plugin/schema.c plugin/schema.h plugin/schema_part.h plugin/schema_table.h \
	plugin/schema_coerce.c plugin/schema_entity_check.c plugin/schema_fill.c \
	plugin/schema_json.c plugin/schema_json.h plugin/schema_json_meta.c \
	plugin/schema_json_table.h \
	plugin/schema_meta.c plugin/schema_meta_check.c plugin/schema_prepare.c \
	plugin/schema_shorthand.c plugin/schema_text.c plugin/schema_validator.c \
	plugin/schema_value.c \
	plugin/status.h \
	plugin/telemetry.h plugin/trace.c plugin/trace.h plugin/traceparent.c plugin/traceparent.h \
	plugin/typedefs.c plugin/typedefs.h plugin/typedefs_part.h plugin/typedefs_table.h \
	plugin/typedefs_host.c plugin/typedefs_jwk.c plugin/typedefs_name.c plugin/typedefs_path.c plugin/typedefs_pem.c \
	plugin/value.c plugin/value.h \
	plugin/value_pack.c plugin/value_pack.h

LIBPLUGIN = plugin/libplugin.a
# What a program links behind it, unless it uses neither schemas nor sluice-check.
LIBPLUGIN_LIBS = $(EVENT_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(CRYPTO_LIBS) -lm

# The jail of sluice-worker and sluice-check: link $(LIBJAIL) $(LIBBASE) $(SECCOMP_LIBS).
noinst_LIBRARIES += plugin/libjail.a
plugin_libjail_a_SOURCES = \
	plugin/jail.c plugin/jail.h \
	plugin/jail_sanitizer.h plugin/jail_seccomp.c plugin/jail_seccomp.h plugin/jail_table.h
plugin_libjail_a_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)

LIBJAIL = plugin/libjail.a

check_PROGRAMS += tests/unit/test_jail
tests_unit_test_jail_SOURCES = tests/unit/test_jail.c
tests_unit_test_jail_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_jail_LDADD = $(LIBJAIL) $(LIBBASE) $(SECCOMP_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_schema tests/unit/test_schema_update tests/unit/test_schema_words
tests_unit_test_schema_update_SOURCES = tests/unit/test_schema_update.c tests/unit/schema_case.h
tests_unit_test_schema_update_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_schema_update_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)
tests_unit_test_schema_words_SOURCES = tests/unit/test_schema_words.c tests/unit/schema_case.h
tests_unit_test_schema_words_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_schema_words_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/schema_case.h
tests_unit_test_schema_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_schema_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_dns_message
tests_unit_test_dns_message_SOURCES = tests/unit/test_dns_message.c
tests_unit_test_dns_message_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_dns_message_LDADD = $(LIBPLUGIN) $(LIBBASE) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_limits
tests_unit_test_limits_SOURCES = tests/unit/test_limits.c
tests_unit_test_limits_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_limits_LDADD = $(LIBPLUGIN) $(LIBSHM) $(LIBBASE) $(LIBPLUGIN_LIBS) $(SHM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_schema_model
tests_unit_test_schema_model_SOURCES = tests/unit/test_schema_model.c tests/unit/schema_random.h
tests_unit_test_schema_model_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_schema_model_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS) -lm

check_PROGRAMS += tests/unit/test_schema_json
tests_unit_test_schema_json_SOURCES = tests/unit/test_schema_json.c tests/unit/schema_case.h
tests_unit_test_schema_json_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_schema_json_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_condition
tests_unit_test_condition_SOURCES = tests/unit/test_condition.c
tests_unit_test_condition_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_condition_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_condition_language
tests_unit_test_condition_language_SOURCES = tests/unit/test_condition_language.c \
	tests/unit/condition_bed.h
tests_unit_test_condition_language_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_condition_language_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_condition_model
tests_unit_test_condition_model_SOURCES = tests/unit/test_condition_model.c \
	tests/unit/condition_bed.h tests/unit/condition_model.h
tests_unit_test_condition_model_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_condition_model_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

# Reads Lua sources without Lua.
SOURCE_SCAN = plugin/source_expression.c plugin/source_lex.c plugin/source_lex.h \
	plugin/source_parse.c plugin/source_parse.h plugin/source_scan.c plugin/source_scan.h

# sluice-check
pkglibexec_PROGRAMS += plugin/sluice-check
plugin_sluice_check_SOURCES = \
	plugin/check_config.c plugin/check_convert.c plugin/check_handler.c plugin/check_lint.c \
	plugin/check_main.c plugin/check_part.h plugin/check_report.c plugin/check_request.c \
	plugin/check_schema.c plugin/check_typedefs.c \
	plugin/lint_part.h plugin/lint_phases.c plugin/lint_rules.c plugin/lint_rules.h \
	plugin/lint_world.c plugin/lint_world.h $(SOURCE_SCAN) \
	plugin/trial.c plugin/trial.h plugin/trial_message.c plugin/trial_snapshot.c
plugin_sluice_check_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUF_C_CFLAGS)
plugin_sluice_check_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
plugin_sluice_check_LDADD = $(LIBENGINE) $(LIBNGX) $(LIBPDK) $(LIBVM) $(LIBJAIL) $(LIBPLUGIN) \
	$(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) $(VM_LIBS) $(NGX_LIBS) $(SECCOMP_LIBS) $(LIBPLUGIN_LIBS) \
	$(SHM_LIBS) $(SNAPWRITE_LIBS)

check_PROGRAMS += tests/unit/test_check
tests_unit_test_check_SOURCES = tests/unit/test_check.c
tests_unit_test_check_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSLUICE_CHECK='"$(abs_top_builddir)/plugin/sluice-check"'
tests_unit_test_check_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_check_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_lint
tests_unit_test_lint_SOURCES = tests/unit/test_lint.c
tests_unit_test_lint_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSLUICE_CHECK='"$(abs_top_builddir)/plugin/sluice-check"'
tests_unit_test_lint_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_lint_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_typedefs
tests_unit_test_typedefs_SOURCES = tests/unit/test_typedefs.c tests/unit/key_case.h \
	tests/unit/schema_case.h
tests_unit_test_typedefs_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_typedefs_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS) $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_condition tests/fuzz/fuzz_schema tests/fuzz/fuzz_source
tests_fuzz_fuzz_source_SOURCES = tests/fuzz/fuzz_source.c $(SOURCE_SCAN)
tests_fuzz_fuzz_source_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_source_LDADD = $(LIBBASE)
noinst_PROGRAMS += tests/fuzz/fuzz_traceparent
tests_fuzz_fuzz_traceparent_SOURCES = tests/fuzz/fuzz_traceparent.c
tests_fuzz_fuzz_traceparent_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_traceparent_LDADD = $(LIBPLUGIN) $(LIBBASE)
noinst_PROGRAMS += tests/fuzz/fuzz_dns_message
tests_fuzz_fuzz_dns_message_SOURCES = tests/fuzz/fuzz_dns_message.c
tests_fuzz_fuzz_dns_message_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_dns_message_LDADD = $(LIBPLUGIN) $(LIBBASE)
tests_fuzz_fuzz_condition_SOURCES = tests/fuzz/fuzz_condition.c
tests_fuzz_fuzz_condition_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_condition_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS)
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/fuzz_schema.c
tests_fuzz_fuzz_schema_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_schema_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LIBPLUGIN_LIBS)
endif
