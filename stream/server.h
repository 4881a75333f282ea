/* SPDX-License-Identifier: Apache-2.0
 *
 * Control's end: accepts nodes on unix sockets and TCP, one gRPC stream each, over
 * cleartext HTTP/2 (prior knowledge) or TLS 1.2+ with required client certificates.
 * Heartbeats are handled inside; Welcome is sent on Hello.  A broken peer costs only its own
 * connection.  libevent; single-threaded.
 * Makes the process ignore SIGPIPE.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "stream/client.h"

struct stream_server;
struct stream_peer;

struct stream_server_conf {
	struct stream_tls tls;      /* for TCP; unix sockets are plain text, mode 0600 */
	uint64_t max_message_bytes; /* either way; 0 = 16 MiB */
	uint32_t heartbeat_ms;      /* 0 = 5000 */
	const char *control_id;     /* shown in Welcome */
	uint32_t admit_per_second;  /* new streams; 0 = 25 */
};

/* All are wanted. */
struct stream_server_events {
	/* A node said Hello.  The owner may keep p until closed(). */
	void (*hello)(void *arg, struct stream_peer *p, const Sluice__Stream__V1__Hello *hello);
	/* Any other message but Heartbeat; borrowed. */
	void (*message)(void *arg, struct stream_peer *p, const Sluice__Stream__V1__NodeMessage *m);
	void (*heartbeat)(void *arg, struct stream_peer *p, uint64_t generation);
	/* p is gone after this.  Only of peers that said Hello; not called by stream_server_free().
	 */
	void (*closed)(void *arg, struct stream_peer *p, const struct why *why);
	/* The peer's send queue fell below 256 KiB after it was above: send more chunks. */
	void (*drained)(void *arg, struct stream_peer *p);
};

/* conf is copied, its control_id too; the events are kept.  Any function may be called from
 * inside any event, stream_server_free() too. */
int stream_server_new(struct stream_server **ret, struct event_base *base,
		const struct stream_server_conf *conf, const struct stream_server_events *events,
		void *arg, struct why *why);
void stream_server_free(struct stream_server *s);
SL_DEFINE_AUTO(stream_server);

/* "host:port", "[v6]:port" or "unix:/path" (a stale socket file is replaced). */
int stream_server_listen(struct stream_server *s, const char *address, struct why *why);

/* Queued and sent in order.  Errors as stream_client_send(); the limit is the lower of ours and
 * Hello.max_message_bytes. */
int stream_peer_send(struct stream_peer *p, const Sluice__Stream__V1__ControlMessage *m);
/* Bytes queued and not yet taken by the connection. */
size_t stream_peer_queued(const struct stream_peer *p);
/* Goodbye, then closed() from the event loop. */
void stream_peer_close(struct stream_peer *p, const char *reason);
/* The owner's pointer beside the peer. */
void stream_peer_set_user(struct stream_peer *p, void *user);
void *stream_peer_user(const struct stream_peer *p);
/* Address, and with TLS the certificate's subject. */
const char *stream_peer_name(const struct stream_peer *p);
