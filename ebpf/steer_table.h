/* SPDX-License-Identifier: Apache-2.0
 *
 * The modes and counters of steering, declared once for kernel, loader, status and docs.
 */
#pragma once

/* X(constant, name, what it does) */
/* clang-format off */
#define STEER_MODES(X) \
	X(LEAST_CONN,  "least_conn",  "the worker with the fewest connections, those that wait for it included") \
	X(HASH_IP,     "hash_ip",     "a client address keeps its worker while that worker takes connections") \
	X(CPU,         "cpu",         "a worker that belongs to the CPU the connection came in on") \
	X(ROUND_ROBIN, "round_robin", "one after the other") \
	X(KERNEL,      "kernel",      "as SO_REUSEPORT hashes")

/* X(field, help) */
#define STEER_COUNTS(X) \
	X(chosen,   "Connections given to the worker that the mode chose.") \
	X(migrated, "Of those, connections and handshakes taken over from a closed listener.") \
	X(kernel,   "Connections left to the kernel's hash because the mode says so.") \
	X(nobody,   "Connections left to the kernel's hash because no worker was open.") \
	X(failed,   "Connections left to the kernel's hash because the chosen slot had no socket.") \
	X(unknown,  "Connections left to the kernel's hash because the listener was not known.") \
	X(stale,    "Connections given to a worker although its heartbeat was old: all were.")
/* clang-format on */

enum steer_mode {
#define X(id, name, help) STEER_##id,
	STEER_MODES(X)
#undef X
			STEER_MODE_COUNT
};
