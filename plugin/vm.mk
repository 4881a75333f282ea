# SPDX-License-Identifier: Apache-2.0
# The VM, its budgets and sandbox: plugin/libvm.a
#
# A program that runs plugins:
#	foo_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
#	foo_LDADD = … $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(VM_LIBS)
noinst_LIBRARIES += plugin/libvm.a
plugin_libvm_a_SOURCES = \
	plugin/budget.c plugin/budget.h \
	plugin/budget_calibrate.c plugin/budget_calibrate.h \
	plugin/safe.h \
	plugin/safe_base.c \
	plugin/safe_match.c \
	plugin/safe_os.c \
	plugin/safe_string.c \
	plugin/sandbox.c plugin/sandbox.h plugin/sandbox_table.h \
	plugin/sandbox_require.c \
	plugin/vm.c plugin/vm.h plugin/vm_impl.h \
	plugin/vm_arena.c plugin/vm_arena.h \
	plugin/vm_library.c plugin/vm_library.h \
	plugin/vm_load.c \
	plugin/vm_memory.c \
	plugin/vm_run.c
# Files below a Lua C frame: LuaJIT's errors unwind through them.
VM_CFLAGS = -fexceptions $(LUAJIT_CFLAGS)
plugin_libvm_a_CFLAGS = $(AM_CFLAGS) $(VM_CFLAGS)
nodist_plugin_libvm_a_SOURCES = plugin/safe_lib.lua.h

LIBVM = plugin/libvm.a
VM_LIBS = $(LUAJIT_LIBS) -lm -ldl

EXTRA_DIST += plugin/safe_lib.lua
BUILT_SOURCES += plugin/safe_lib.lua.h
CLEANFILES += plugin/safe_lib.lua.h
plugin/libvm_a-sandbox.$(OBJEXT): plugin/safe_lib.lua.h
plugin/safe_lib.lua.h: plugin/safe_lib.lua
	$(AM_V_GEN)$(MKDIR_P) plugin && \
	$(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $(srcdir)/plugin/safe_lib.lua > $@.tmp && mv $@.tmp $@

check_PROGRAMS += tests/unit/test_pattern tests/unit/test_vm tests/unit/test_vm_hostile tests/unit/test_vm_escape
tests_unit_test_pattern_SOURCES = tests/unit/test_pattern.c
tests_unit_test_pattern_CFLAGS = $(UNIT_CFLAGS) $(LUAJIT_CFLAGS)
tests_unit_test_pattern_LDADD = $(LIBPLUGIN) $(LIBBASE) $(LUAJIT_LIBS) $(UNIT_LIBS)

VM_TEST_LDADD = $(LIBVM) $(LIBPLUGIN) $(LIBBASE) $(VM_LIBS) $(UNIT_LIBS)
tests_unit_test_vm_SOURCES = tests/unit/test_vm.c tests/unit/vm_harness.c tests/unit/vm_harness.h
tests_unit_test_vm_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_vm_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_vm_LDADD = $(VM_TEST_LDADD)

tests_unit_test_vm_hostile_SOURCES = tests/unit/test_vm_hostile.c tests/unit/vm_harness.c tests/unit/vm_harness.h
tests_unit_test_vm_hostile_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_vm_hostile_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_vm_hostile_LDADD = $(VM_TEST_LDADD)

tests_unit_test_vm_escape_SOURCES = tests/unit/test_vm_escape.c tests/unit/vm_harness.c tests/unit/vm_harness.h
tests_unit_test_vm_escape_CFLAGS = $(UNIT_CFLAGS) $(VM_CFLAGS)
tests_unit_test_vm_escape_LDFLAGS = $(AM_LDFLAGS) $(VM_LDFLAGS)
tests_unit_test_vm_escape_LDADD = $(VM_TEST_LDADD)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_pattern
tests_fuzz_fuzz_pattern_SOURCES = tests/fuzz/fuzz_pattern.c
tests_fuzz_fuzz_pattern_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_pattern_LDADD = $(LIBPLUGIN) $(LIBBASE)
endif
