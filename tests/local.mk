# SPDX-License-Identifier: Apache-2.0
# Every fuzz target: `make fuzz-targets` in a build configured with --enable-fuzz.
.PHONY: fuzz-targets
fuzz-targets: $(noinst_PROGRAMS)

# The programs that `make check` runs, for tests/run.
.PHONY: list-unit-tests
list-unit-tests:
	@echo $(check_PROGRAMS)
