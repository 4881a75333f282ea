# SPDX-License-Identifier: Apache-2.0
# The kernel side and its loaders, for sluiced and tools only.  Others link $(LIBEBPF) and
# $(EBPF_LIBS).  Needs no header of the running kernel: <linux/bpf.h> of the C library's package.

noinst_LIBRARIES += ebpf/libebpf.a
EBPF_SHARED = ebpf/steer.h ebpf/steer_pick.h ebpf/steer_shared.h ebpf/steer_table.h
LIBEBPF = ebpf/libebpf.a
EXTRA_DIST += ebpf/steer.bpf.c ebpf/steer.c ebpf/steer_off.c
EXTRA_DIST += ebpf/latmap.bpf.c ebpf/latmap.c ebpf/latmap_off.c
EBPF_SHARED += ebpf/latmap.h ebpf/latmap_shared.h

# the tracer: sluicectl only
noinst_LIBRARIES += ebpf/libtracer.a
LIBTRACE = ebpf/libtracer.a
EXTRA_DIST += ebpf/tracer.bpf.c ebpf/tracer.c ebpf/tracer_off.c

if WITH_BPF
EBPF_LIBS = $(LIBBPF_LIBS)
ebpf_libebpf_a_SOURCES = ebpf/latmap.c ebpf/steer.c ebpf/steer_mode.c $(EBPF_SHARED)
nodist_ebpf_libebpf_a_SOURCES = ebpf/latmap.skel.h ebpf/steer.skel.h
ebpf_libebpf_a_CFLAGS = $(AM_CFLAGS) $(LIBBPF_CFLAGS)

BPF_COMPILE = $(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -D__TARGET_ARCH_$(BPF_ARCH) \
	-I$(top_srcdir) -I/usr/include/`$(CC) -print-multiarch`
# `gen object` leaves the debug information out of what programs carry.
BPF_SKELETON = $(BPFTOOL) gen object $(@:.skel.h=.linked.o) $(@:.skel.h=.bpf.o) \
	&& $(BPFTOOL) gen skeleton $(@:.skel.h=.linked.o) name $(@F:.skel.h=_bpf) >$@.new \
	&& $(SED) -i -e '1i \#pragma GCC system_header' $@.new && mv $@.new $@

# Kept: the object says which source line the verifier means.
.PRECIOUS: ebpf/latmap.bpf.o ebpf/steer.bpf.o ebpf/tracer.bpf.o
ebpf/steer.bpf.o: ebpf/steer.bpf.c ebpf/steer_pick.h ebpf/steer_shared.h ebpf/steer_table.h shm/board_layout.h
	$(AM_V_GEN)$(MKDIR_P) ebpf && $(BPF_COMPILE) -c $(top_srcdir)/ebpf/steer.bpf.c -o $@
ebpf/steer.skel.h: ebpf/steer.bpf.o
	$(AM_V_GEN)$(BPF_SKELETON)
ebpf/latmap.bpf.o: ebpf/latmap.bpf.c ebpf/latmap_shared.h
	$(AM_V_GEN)$(MKDIR_P) ebpf && $(BPF_COMPILE) -c $(top_srcdir)/ebpf/latmap.bpf.c -o $@
ebpf/latmap.skel.h: ebpf/latmap.bpf.o
	$(AM_V_GEN)$(BPF_SKELETON)
BUILT_SOURCES += ebpf/latmap.skel.h
CLEANFILES += ebpf/latmap.skel.h ebpf/latmap.bpf.o ebpf/latmap.linked.o
ebpf/tracer.bpf.o: ebpf/tracer.bpf.c ebpf/tracer_shared.h
	$(AM_V_GEN)$(MKDIR_P) ebpf && $(BPF_COMPILE) -c $(top_srcdir)/ebpf/tracer.bpf.c -o $@
ebpf/tracer.skel.h: ebpf/tracer.bpf.o
	$(AM_V_GEN)$(BPF_SKELETON)
ebpf_libtracer_a_SOURCES = ebpf/tracer.c ebpf/tracer.h ebpf/tracer_shared.h
nodist_ebpf_libtracer_a_SOURCES = ebpf/tracer.skel.h
ebpf_libtracer_a_CFLAGS = $(AM_CFLAGS) $(LIBBPF_CFLAGS)
BUILT_SOURCES += ebpf/tracer.skel.h
CLEANFILES += ebpf/tracer.skel.h ebpf/tracer.bpf.o ebpf/tracer.linked.o
BUILT_SOURCES += ebpf/steer.skel.h
CLEANFILES += ebpf/steer.skel.h ebpf/steer.bpf.o ebpf/steer.linked.o
else
EBPF_LIBS =
ebpf_libtracer_a_SOURCES = ebpf/tracer_off.c ebpf/tracer.h ebpf/tracer_shared.h
ebpf_libtracer_a_CFLAGS = $(AM_CFLAGS)
ebpf_libebpf_a_SOURCES = ebpf/latmap_off.c ebpf/steer_off.c ebpf/steer_mode.c $(EBPF_SHARED)
ebpf_libebpf_a_CFLAGS = $(AM_CFLAGS)
endif

check_PROGRAMS += tests/unit/test_steer_pick
tests_unit_test_steer_pick_SOURCES = tests/unit/test_steer_pick.c
tests_unit_test_steer_pick_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_steer_pick_LDADD = $(LIBEBPF) $(LIBBASE) $(EBPF_LIBS) $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_steer
tests_unit_test_steer_SOURCES = tests/unit/test_steer.c
tests_unit_test_steer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_steer_LDADD = $(LIBEBPF) $(LIBSHM) $(LIBBASE) $(SHM_LIBS) $(EBPF_LIBS) $(UNIT_LIBS)
