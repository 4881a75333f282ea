/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors that systemd keeps for sluiced (FileDescriptorStoreMax=): what is told here comes
 * back at the next start, after a crash or `systemctl restart`, so that who waits at a listener
 * goes on waiting.  A socket's name is made of its cookie, which no other has as long as it lives.
 * Without systemd nothing is kept, and nothing fails.  Master only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define FDSTORE_NAME_MAX 64
#define FDSTORE_LISTENER "proxy-"
#define FDSTORE_SOCKS "steering-socks"

struct fdstore;

/* What was kept (LISTEN_FDS of the environment, which is cleared); CLOEXEC.  Once, before anything
 * is opened.  -ENOMEM. */
int fdstore_inherit(struct fdstore **ret);
/* What nobody took is closed here, and comes again at the next start. */
void fdstore_free(struct fdstore *s);
/* Those whose names begin so are named in the log, and given up for good. */
void fdstore_discard(struct fdstore *s, const char *prefix);
SL_DEFINE_AUTO(fdstore);

/* One whose name begins so and that `is_wanted`: of those the first by name.  The caller's from now
 * on, with its name; -1: there is none. */
typedef bool fdstore_wanted_fn(const void *arg, int fd);
int fdstore_take(struct fdstore *s, const char *prefix, fdstore_wanted_fn *is_wanted,
		const void *arg, char ret_name[FDSTORE_NAME_MAX]);
size_t fdstore_count(const struct fdstore *s, const char *prefix, fdstore_wanted_fn *is_wanted,
		const void *arg);

/* systemd is told to keep it, or to close its copy of it. */
void fdstore_keep(int fd, const char *name);
void fdstore_drop(const char *name);
/* The same of a worker's listening socket: its name sorts by worker, and ends with its cookie. */
void fdstore_keep_listener(int fd, uint32_t worker);
void fdstore_drop_listener(int fd, uint32_t worker);
/* It was taken by that name: its worker may be another now. */
void fdstore_rename_listener(int fd, uint32_t worker, const char *name);
