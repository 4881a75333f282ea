/* SPDX-License-Identifier: Apache-2.0
 *
 * One node at the server's end: a link, its Hello, its heartbeat.  server.c owns peers; the
 * functions its users see are in server.h.
 */
#pragma once

#include <sys/queue.h>
#include <sys/socket.h>

#include "stream/grpc_link.h"
#include "stream/server.h"

TAILQ_HEAD(peer_list, stream_peer);

struct peer_conf {
	const struct stream_server_events *events;
	void *arg;
	uint64_t max_message_bytes;
	uint32_t heartbeat_ms;
	const char *control_id;
	enum grpc_status (*admit)(void *server, const char **ret_text);
	void (*known)(void *server);                       /* it said Hello */
	void (*gone)(void *server, struct stream_peer *p); /* before p frees itself */
	void *server;
};

struct stream_peer {
	uint32_t magic;
	TAILQ_ENTRY(stream_peer) entry;
	const struct peer_conf *conf;
	struct grpc_link *link;
	struct beat *beat;
	struct event *patience; /* for Hello */
	uint64_t max_send_bytes;
	bool has_hello;
	void *user;
	char address[128], name[512];
};

/* Takes fd and ssl, also when it fails.  conf outlives the peer. */
int peer_new(struct stream_peer **ret, struct event_base *base, int fd, SSL *ssl,
		const struct sockaddr *from, const struct peer_conf *conf);
/* Without a word to anybody. */
void peer_free(struct stream_peer *p);
bool peer_is_known(const struct stream_peer *p);
