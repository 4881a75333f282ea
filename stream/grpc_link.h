/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/2 connection that carries one bidirectional gRPC call, seen from either end:
 * nghttp2 over a bufferevent, with or without TLS.  It frames and queues messages, answers
 * what is no such call, and reports one ending.  client.c and server.c own links; nobody else
 * uses this.  libevent, single-threaded.
 *
 * Any function may be called from inside any event, grpc_link_free() too.
 */
#pragma once

#include <openssl/ssl.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "stream/grpc_status.h"

#define GRPC_LINK_PATH "/sluice.stream.v1.Control/Stream"

struct event_base;
struct grpc_link;

enum grpc_role {
	GRPC_CLIENT,
	GRPC_SERVER,
};

struct grpc_link_events {
	/* Server only: a well-formed call came in.  GRPC_OK takes it; else it is answered with
	 * the status and *ret_text (static). */
	enum grpc_status (*admit)(void *arg, const char **ret_text);
	/* Client: the other side speaks HTTP/2 and the call is under way. */
	void (*opened)(void *arg);
	/* One message, borrowed for the call of this function. */
	void (*message)(void *arg, struct str message);
	/* What is queued fell below GRPC_LINK_DRAINED_BYTES after it was above. */
	void (*drained)(void *arg);
	/* Once, last, from the event loop.  The owner frees the link now or later. */
	void (*closed)(void *arg, const struct why *why);
};

#define GRPC_LINK_DRAINED_BYTES (256U * 1024U)

struct grpc_link_conf {
	enum grpc_role role;
	const char *authority;    /* client: :authority, copied */
	size_t max_message_bytes; /* received */
	const struct grpc_link_events *events;
	void *arg;
};

/* Takes the connected fd and ssl (NULL = plain text; a client's or a server's, not yet
 * handshaken), also when it fails. */
int grpc_link_new(struct grpc_link **ret, struct event_base *base, int fd, SSL *ssl,
		const struct grpc_link_conf *conf);
void grpc_link_free(struct grpc_link *l);
SL_DEFINE_AUTO(grpc_link);

/* Queued; written when the event loop turns.  -ENOTCONN: no call, or it is ending.
 * -EMSGSIZE: over max_bytes.  -EILSEQ: a string is not UTF-8.  -ENOBUFS: the peer takes
 * nothing and 64 MiB wait already.  -ENOMEM. */
int grpc_link_send(struct grpc_link *l, const ProtobufCMessage *m, size_t max_bytes);
/* Bytes queued and not yet given to the kernel. */
size_t grpc_link_queued(const struct grpc_link *l);

/* Ends the call after what is queued (a server with status and text in the trailers), then the
 * connection; not later than 2 s from now. */
void grpc_link_finish(struct grpc_link *l, enum grpc_status status, const char *text);
/* As finish, but what is queued is dropped.  A client resets the call. */
void grpc_link_refuse(struct grpc_link *l, enum grpc_status status, const char *text);
/* Ends it without another byte: the other side is gone. */
void grpc_link_kill(struct grpc_link *l, const char *text);

/* Monotonic milliseconds when bytes of the call last arrived, and when queued bytes last left
 * (or the queue was last empty). */
uint64_t grpc_link_heard_ms(const struct grpc_link *l);
uint64_t grpc_link_sent_ms(const struct grpc_link *l);
/* NULL in plain text. */
SSL *grpc_link_ssl(const struct grpc_link *l);
