# SPDX-License-Identifier: Apache-2.0
# sluiced, the node's master.  Everything but main() is a library, so that tests can link it.
noinst_LIBRARIES += master/libmaster.a
master_libmaster_a_SOURCES = \
	master/account.c master/account.h \
	master/targets.c master/targets.h \
	master/status_targets.c master/status_targets.h \
	master/apply.c master/apply.h \
	master/backoff.c master/backoff.h \
	master/blobs.c master/blobs.h \
	master/breakers.c master/breakers.h \
	master/child.c master/child.h \
	master/control_child.c master/control_child.h \
	master/counts.c master/counts.h \
	master/default_certificates.c master/default_certificates.h \
	master/expiry.c master/expiry.h \
	master/fdstore.c master/fdstore.h \
	master/follow.c master/follow.h \
	master/handover.c master/handover.h \
	master/handover_check.c master/handover_check.h \
	master/handover_parse.c \
	master/hello.c master/hello.h \
	master/histogram_json.c master/histogram_json.h \
	master/history.c master/history.h \
	master/image.c master/image.h \
	master/intake.c master/intake.h \
	master/latency.c master/latency.h \
	master/listen.c master/listen.h \
	master/listen_share.c master/listen_share.h \
	master/master.c master/master.h master/master_state.h \
	master/master_handover.c master/master_make.c \
	master/metric.c master/metric.h \
	master/metrics.c \
	master/metrics_table.h \
	master/metrics_workers.c master/metrics_workers.h \
	master/node.c master/node.h \
	master/own_certificate.c master/own_certificate.h \
	master/outcome.c master/outcome.h \
	master/own_certificate.c master/own_certificate.h \
	master/pins.c master/pins.h \
	master/plan.c master/plan.h \
	master/proc.c master/proc.h \
	master/reload.c master/reload.h \
	master/review.c master/review.h \
	master/rollout.c master/rollout.h \
	master/seat.c master/seat.h \
	master/spawn.c master/spawn.h \
	master/status.c master/status.h \
	master/status_docs.c master/status_docs.h \
	master/status_limits.c master/status_limits.h \
	master/status_listen.c master/status_listen.h \
	master/status_plugins.c \
	master/status_steering.c \
	master/steering.c master/steering.h master/steering_state.h \
	master/steering_handover.c \
	master/supervise.c master/supervise.h master/supervise_state.h \
	master/supervise_drain.c master/supervise_handover.c \
	master/supervise_scale.c master/supervise_show.c \
	master/upgrade.c master/upgrade.h \
	master/upgrade_trial.c master/upgrade_trial.h \
	master/verdicts.c master/verdicts.h \
	master/vet.c master/vet.h \
	master/wanted.c master/wanted.h \
	master/worker_words.c master/worker_words.h
master_libmaster_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(EVENT_EXTRA_CFLAGS) $(JANSSON_CFLAGS) \
	$(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS) $(SYSTEMD_CFLAGS)

LIBMASTER = master/libmaster.a
MASTER_LDADD = $(LIBMASTER) $(LIBEBPF) $(LIBSTREAM) $(LIBPLUGIN) $(LIBSNAPWRITE) $(LIBSHM) $(LIBBASE) \
	$(STREAM_LIBS) $(LIBPLUGIN_LIBS) $(SHM_LIBS) $(EVENT_EXTRA_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) \
	$(CRYPTO_LIBS) $(SYSTEMD_LIBS) $(EBPF_LIBS)

sbin_PROGRAMS += master/sluiced
master_sluiced_SOURCES = master/main.c
master_sluiced_LDADD = $(MASTER_LDADD)

MASTER_TESTS = tests/unit/test_listen tests/unit/test_child tests/unit/test_supervise tests/unit/test_apply \
	tests/unit/test_intake tests/unit/test_metric tests/unit/test_handover tests/unit/test_image
check_PROGRAMS += $(MASTER_TESTS)
tests_unit_test_listen_SOURCES = tests/unit/test_listen.c
tests_unit_test_listen_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_listen_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_child_SOURCES = tests/unit/test_child.c
tests_unit_test_child_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_child_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_supervise_SOURCES = tests/unit/test_supervise.c tests/unit/supervise_bed.c tests/unit/supervise_bed.h
tests_unit_test_supervise_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_supervise_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_apply_SOURCES = tests/unit/test_apply.c tests/unit/apply_bed.c tests/unit/apply_bed.h
tests_unit_test_apply_CFLAGS = $(UNIT_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)
tests_unit_test_apply_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_handover_SOURCES = tests/unit/test_handover.c
tests_unit_test_handover_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_handover_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_image_SOURCES = tests/unit/test_image.c
tests_unit_test_image_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_image_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_metric_SOURCES = tests/unit/test_metric.c
tests_unit_test_metric_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_metric_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)
tests_unit_test_intake_SOURCES = tests/unit/test_intake.c tests/unit/apply_bed.c tests/unit/apply_bed.h
tests_unit_test_intake_CFLAGS = $(UNIT_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)
tests_unit_test_intake_LDADD = $(MASTER_LDADD) $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_plan tests/fuzz/fuzz_blobs tests/fuzz/fuzz_handover
tests_fuzz_fuzz_handover_SOURCES = tests/fuzz/fuzz_handover.c
tests_fuzz_fuzz_handover_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_handover_LDADD = $(MASTER_LDADD)
tests_fuzz_fuzz_plan_SOURCES = tests/fuzz/fuzz_plan.c
tests_fuzz_fuzz_plan_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_plan_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_plan_LDADD = $(MASTER_LDADD)
tests_fuzz_fuzz_blobs_SOURCES = tests/fuzz/fuzz_blobs.c
tests_fuzz_fuzz_blobs_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) $(CRYPTO_CFLAGS)
tests_fuzz_fuzz_blobs_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_blobs_LDADD = $(MASTER_LDADD)
endif
