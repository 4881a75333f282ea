/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed messages between the master and one worker over an inherited SOCK_SEQPACKET
 * socket: one packet = one message, u32 type, then its fields.  A message is read to its
 * last byte: short or trailing bytes are IPC_E_MALFORMED, and the reader closes that
 * channel only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

#define IPC_MESSAGE_MAX 16384

/* X(constant, "who → whom: fields") */
/* clang-format off */
#define IPC_TABLE(X) \
	X(READY,         "worker → master: u32 pid, u64 generation; accepting from now on") \
	X(GENERATION,    "master → worker: u64 generation; committed, take it into use") \
	X(GENERATION_DONE, "worker → master: u64 generation; in force") \
	X(PLUGIN_STATE,  "worker → master: str plugin id, u64 version, u8 is_active, u64 version_in_force, str file, u32 line, str text") \
	X(DRAIN,         "master → worker: u32 deadline_ms; accept nothing new, finish, exit 0") \
	X(LOG_LEVEL,     "master → worker: u32 level") \
	X(FAILED,        "worker → master: str text; cannot start, exits next") \
	X(PLUGIN_STATS,  "worker → master: str plugin, bytes version_sha256, u64 runs, u64 errors, u64 cpu_trips, u64 memory_trips, u64 wall_trips, u64 output_trips, u64 discards, u64 held, u64 cpu_ns, u64 memory_bytes; each second for every loaded plugin") \
	X(TARGET,        "master → worker: str upstream, str target, str address, u8 is_healthy; an operator's word on a target, address empty: on all that it has") \
	X(WORN_OUT,      "worker → master: u64 plugin VMs discarded; asks to be drained and replaced")
/* clang-format on */

enum ipc_type {
	IPC_NONE,
#define X(id, doc) IPC_##id,
	IPC_TABLE(X)
#undef X
			IPC_TYPE_COUNT
};

#define IPC_E_MALFORMED 1 /* unknown type, short, or trailing bytes */
#define IPC_E_CLOSED 2    /* the peer is gone */
#define IPC_E_AGAIN 3     /* nothing to read / no room to write now */

struct ipc_out {
	uint8_t bytes[IPC_MESSAGE_MAX];
	uint32_t n;
	bool is_overflown;
};
void ipc_begin(struct ipc_out *out, enum ipc_type type);
void ipc_put_u8(struct ipc_out *out, uint8_t v);
void ipc_put_u32(struct ipc_out *out, uint32_t v);
void ipc_put_u64(struct ipc_out *out, uint64_t v);
void ipc_put_str(struct ipc_out *out, struct str s); /* u32 length, bytes */
/* Never blocks.  0, IPC_E_AGAIN, IPC_E_CLOSED, -EMSGSIZE (the fields did not fit), -errno. */
int ipc_send(int fd, const struct ipc_out *out);

struct ipc_in {
	uint8_t bytes[IPC_MESSAGE_MAX];
	uint32_t n, at;
	enum ipc_type type;
	bool is_short;
};
/* One message, without blocking.  0, IPC_E_AGAIN, IPC_E_CLOSED, IPC_E_MALFORMED, -errno. */
int ipc_recv(int fd, struct ipc_in *in);
uint8_t ipc_get_u8(struct ipc_in *in);
uint32_t ipc_get_u32(struct ipc_in *in);
uint64_t ipc_get_u64(struct ipc_in *in);
struct str ipc_get_str(struct ipc_in *in); /* points into in */
/* True when every field was there and nothing is left. */
bool ipc_done(const struct ipc_in *in);

/* "READY", for logs; "?" for anything else. */
const char *ipc_type_name(enum ipc_type type);
/* SOCK_SEQPACKET, CLOEXEC, non-blocking: ret[0] stays, ret[1] is for the child.  -errno. */
int ipc_pair(int ret[2]);

/* What a worker inherits: fixed numbers, checked by the child before anything else. */
/* X(constant, fd, what) */
#define IPC_INHERIT_TABLE(X) \
	X(CHANNEL, 3, "SOCK_SEQPACKET to the master") \
	X(CONF, 4, "memfd: the node configuration (shm/conf)") \
	X(BOARD, 5, "memfd or BPF map: shm/board") \
	X(STAT, 6, "memfd: shm/stat") \
	X(WAKE, 7, "eventfd: a generation was committed") \
	X(DICT, 8, "memfd: shm/dict") \
	X(LAT, 9, "map or memfd: shm/lat, rows") \
	X(LAT_NAMES, 10, "map or memfd: shm/lat, names") \
	X(TRAFFIC, 11, "memfd: shm/traffic") \
	X(BREAKER, 12, "memfd: shm/breaker") \
	X(HEALTH, 13, "memfd: shm/health") \
	X(LISTENERS, 14, "first listener; as many as conf proxy_listen has addresses")

enum ipc_inherited {
#define X(id, fd, what) IPC_FD_##id = (fd),
	IPC_INHERIT_TABLE(X)
#undef X
};

/* Worker: fstat/getsockopt agree with the table for n_listeners; -EBADF with why. */
int ipc_check_inherited(unsigned n_listeners, struct why *why);
