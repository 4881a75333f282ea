# SPDX-License-Identifier: Apache-2.0
# Not built by default: make bench/vm_bench && bench/vm_bench
EXTRA_PROGRAMS = bench/vm_bench
bench_vm_bench_SOURCES = bench/vm_bench.c $(ENGINE_BENCH)
bench_vm_bench_CFLAGS = $(ENGINE_TEST_CFLAGS)
bench_vm_bench_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
bench_vm_bench_LDADD = $(ENGINE_TEST_LDADD)
