# SPDX-License-Identifier: Apache-2.0
# Not built by default: make bench/vm_bench bench/dict_bench bench/lat_bench
EXTRA_PROGRAMS = bench/vm_bench bench/dict_bench bench/lat_bench
bench_vm_bench_SOURCES = bench/vm_bench.c $(ENGINE_BENCH)
bench_vm_bench_CFLAGS = $(ENGINE_TEST_CFLAGS)
bench_vm_bench_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
bench_vm_bench_LDADD = $(ENGINE_TEST_LDADD)
bench_dict_bench_SOURCES = bench/dict_bench.c
bench_dict_bench_CFLAGS = $(AM_CFLAGS)
bench_dict_bench_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS) -lpthread
bench_lat_bench_SOURCES = bench/lat_bench.c
bench_lat_bench_CFLAGS = $(AM_CFLAGS)
bench_lat_bench_LDADD = $(LIBSHM) $(LIBBASE) $(SHM_LIBS)
