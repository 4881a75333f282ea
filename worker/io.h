/* SPDX-License-Identifier: Apache-2.0
 *
 * A non-blocking socket under one persistent edge-triggered event: registered once, never
 * touched again.  Reads and writes are tried first; the flags remember which side would
 * block until the next edge.
 */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/str.h"

/* What lies between a connection and its socket (TLS); keeps the flags of struct io true. */
struct io_layer {
	ssize_t (*read)(void *layer, void *p, size_t n);
	ssize_t (*write)(void *layer, const struct iovec *iov, int n_iov);
	void (*end)(void *layer);
};

struct io {
	int fd; /* -1: closed */
	bool is_readable, is_writable;
	bool is_datagram;    /* set by the owner: each read takes one, whatever else waits */
	bool is_peer_closed; /* the peer sent FIN: read to the end, whatever came short */
	struct event event;
	void (*on_ready)(void *arg);
	void *arg;
	const struct io_layer *layer; /* NULL: none */
	void *layer_arg;
};

/* Takes fd over.  0, or -errno (fd is closed). */
int io_open(struct io *io, struct event_base *base, int fd, void (*on_ready)(void *), void *arg);
void io_close(struct io *io);

/* > 0 bytes, 0 = end of stream, -EAGAIN, -errno */
ssize_t io_read(struct io *io, void *p, size_t n);
/* >= 0 bytes, -EAGAIN, -errno */
ssize_t io_write(struct io *io, const struct iovec *iov, int n_iov);
/* No more will be written: the peer reads the end of the stream. */
void io_end(struct io *io);
