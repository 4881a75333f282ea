/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of the sandbox: what a process that runs plugin code may still do.
 * jail_enter() is called once, by sluice-worker and sluice-check, when everything they need
 * is open and before the first line of Lua is loaded; before any thread is created.
 *
 * Layers, each independent: another uid and no capability; no-new-privs; resource limits;
 * Landlock without a single rule (no file can be opened, whatever the uid may read); a
 * seccomp allow-list (jail_table.h).  What is not on the list returns EPERM, what no honest
 * program asks for kills the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

/* One bit per layer that holds. */
enum jail_layer {
	JAIL_USER = 1 << 0, /* runs as another user than root */
	JAIL_CAPS = 1 << 1, /* no capability, and none can come back */
	JAIL_NO_NEW_PRIVS = 1 << 2,
	JAIL_NOT_DUMPABLE = 1 << 3, /* same-uid processes cannot trace it or read its memory */
	JAIL_LIMITS = 1 << 4,
	JAIL_LANDLOCK = 1 << 5,
	JAIL_SECCOMP = 1 << 6,
};

struct jail_limits {
	uint32_t cpu_s;     /* RLIMIT_CPU; 0 = as inherited, for each of them */
	uint32_t memory_mb; /* RLIMIT_AS; not set in AddressSanitizer builds */
	uint32_t n_files;   /* RLIMIT_NOFILE */
};

struct jail_conf {
	const char *user; /* becomes this user and its group when started as root; NULL = stays */
	bool may_use_network; /* TCP and UDP sockets (the worker); else no new socket at all */
	bool may_be_traced;   /* keeps the process dumpable: debuggers, core files, LeakSanitizer */
	bool is_short_lived;  /* no file may grow, no core, no thread, no child (sluice-check) */
	struct jail_limits limits;
};

struct jail_state {
	unsigned int layers; /* jail_layer bits that hold */
	int landlock_abi;    /* 0 = none */
	char missing[256];   /* why a layer that the kernel should give is absent; "" = none */
};

/* One way.  0, or -errno with why: then the process is half jailed and must exit.  A kernel
 * without Landlock is no error: see *ret.  A process that is not root keeps its user. */
int jail_enter(const struct jail_conf *conf, struct jail_state *ret, struct why *why);

/* "user,caps,no-new-privs,…" or "… (no landlock: …)" into buf, for logs and status; returns buf. */
const char *jail_describe(const struct jail_state *state, char *buf, size_t size);
