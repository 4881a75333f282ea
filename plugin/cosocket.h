/* SPDX-License-Identifier: Apache-2.0
 *
 * The network as plugins get it: by which ngx.socket.* asks the host for connections.  The
 * host (worker/cosocket) owns them; a plugin knows them by number.  Nothing blocks: a call that
 * says -EAGAIN is made again when the exchange is woken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct exchange;
struct cosocket; /* the host's */

/* Errors: -ETIMEDOUT, -ECONNREFUSED …; -EACCES = egress denied, -ENOENT = the name has no
 * address, -ECONNABORTED = TLS; why() has their words. */
struct cosocket_ops {
	/* For this plugin in this request, until close().  0, -EMFILE (too many of the plugin or
	 * of the worker), -ENOMEM */
	int (*open)(struct exchange *x, struct str plugin, bool is_datagram, struct cosocket **ret);
	void (*close)(struct cosocket *s); /* s is gone */
	void (*disconnect)(struct cosocket *s);
	/* Name or address.  pool: a name, under which an idle connection of this plugin is looked
	 * for; n == 0: none (datagrams).  0, -EAGAIN, -errno. */
	int (*connect)(struct cosocket *s, struct str host, uint16_t port, struct str pool);
	int (*connected)(struct cosocket *s);
	/* The first address of a name, as text that s holds; nothing is dialled.  On a socket that
	 * is not connected.  0, -EAGAIN, -ENOENT */
	int (*resolve)(struct cosocket *s, struct str host, struct str *ret);
	/* name: SNI, and what the certificate must be for.  0, -EAGAIN, -errno */
	int (*handshake)(struct cosocket *s, struct str name, bool is_verified);
	/* > 0 bytes; 0 = the end of the stream (an empty datagram), -EAGAIN, -errno */
	ssize_t (*receive)(struct cosocket *s, void *p, size_t n);
	ssize_t (*send)(struct cosocket *s, struct str data);
	/* Into the pool of that name: at most `size` idle ones, the oldest go first.  idle_ms 0 =
	 * for ever.  0: s has no connection now; -errno: it cannot be kept (s still has it). */
	int (*keep)(struct cosocket *s, struct str pool, uint32_t idle_ms, uint32_t size);
	bool (*is_open)(const struct cosocket *s); /* connected */
	bool (*is_datagram)(const struct cosocket *s);
	uint32_t (*reused)(const struct cosocket *s);
	/* Words for the last error of s. */
	const char *(*why)(const struct cosocket *s);
};
