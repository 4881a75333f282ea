# SPDX-License-Identifier: Apache-2.0
# The kernel side and its loaders, for sluiced and tools only.  Others link $(LIBEBPF) and
# $(EBPF_LIBS).  Needs no header of the running kernel: <linux/bpf.h> of the C library's package.

noinst_LIBRARIES += ebpf/libebpf.a
EBPF_SHARED = ebpf/steer.h ebpf/steer_pick.h ebpf/steer_shared.h ebpf/steer_table.h
LIBEBPF = ebpf/libebpf.a
EXTRA_DIST += ebpf/steer.bpf.c ebpf/steer.c ebpf/steer_off.c

if WITH_BPF
EBPF_LIBS = $(LIBBPF_LIBS)
ebpf_libebpf_a_SOURCES = ebpf/steer.c ebpf/steer_mode.c $(EBPF_SHARED)
nodist_ebpf_libebpf_a_SOURCES = ebpf/steer.skel.h
ebpf_libebpf_a_CFLAGS = $(AM_CFLAGS) $(LIBBPF_CFLAGS)

# Kept: the object says which source line the verifier means.
.PRECIOUS: ebpf/steer.bpf.o
ebpf/steer.bpf.o: ebpf/steer.bpf.c ebpf/steer_pick.h ebpf/steer_shared.h ebpf/steer_table.h shm/board_layout.h
	$(AM_V_GEN)$(MKDIR_P) ebpf && $(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror \
		-I$(top_srcdir) -I/usr/include/`$(CC) -print-multiarch` \
		-c $(top_srcdir)/ebpf/steer.bpf.c -o $@
# `gen object` leaves the debug information out of what sluiced carries.
ebpf/steer.skel.h: ebpf/steer.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen object ebpf/steer.linked.o ebpf/steer.bpf.o \
		&& $(BPFTOOL) gen skeleton ebpf/steer.linked.o name steer_bpf >$@.new \
		&& $(SED) -i -e '1i #pragma GCC system_header' $@.new && mv $@.new $@
BUILT_SOURCES += ebpf/steer.skel.h
CLEANFILES += ebpf/steer.skel.h ebpf/steer.bpf.o ebpf/steer.linked.o
else
EBPF_LIBS =
ebpf_libebpf_a_SOURCES = ebpf/steer_off.c ebpf/steer_mode.c $(EBPF_SHARED)
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
