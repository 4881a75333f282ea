/* SPDX-License-Identifier: Apache-2.0
 *
 * One VM and what the VM tests do with it over and over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "plugin/vm.h"

struct harness {
	struct vm *vm;
	enum vm_level level;
	struct vm_limits limits;
	struct why why;      /* of the last run */
	char result[256];    /* its first result as text, "" when none */
	uint64_t elapsed_ns; /* CPU time of the last run */
};

/* cmocka group set-up: vm_process_init(). */
int harness_process(void **state);
void harness_open(struct harness *h, uint32_t cpu_ms, uint32_t memory_mb);
void harness_close(struct harness *h);
/* A fresh VM when the last run spoiled it. */
void harness_heal(struct harness *h);
/* Loads and runs a chunk named "t.lua" in the VM.  A load error is VM_ERROR. */
enum vm_status harness_run(struct harness *h, const char *code);
/* The same with another CPU budget than the VM's. */
enum vm_status harness_run_for(struct harness *h, const char *code, uint32_t cpu_ms);
/* The functions host_wait() (parks), host_exit() (vm_end), host_busy(ms, is_bracketed),
 * host_sleep(ms) and host_call(f) (lua_call from C) of the environment. */
void harness_library(struct lua_State *L, int env_index);
