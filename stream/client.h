/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's end of the control stream: dials, keeps one gRPC stream open, reconnects with
 * full jitter, checks heartbeats.  What the messages mean is the owner's business
 * (master/follow).  libevent; single-threaded.
 * Makes the process ignore SIGPIPE.
 *
 * Messages with strings or bytes are initialised with sluice__stream__v1__…__init(&m); the
 * generated …__INIT initialisers cast const away, which our warnings refuse.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "stream/sluice.pb-c.h"

struct event_base;
struct stream_client;

struct stream_tls {
	const char *cert, *key, *ca; /* PEM files; NULL or "" = plain text (unix socket, tests) */
	const char *server_name;     /* "" = the host dialled */
};

struct stream_client_conf {
	const char *addresses; /* LIST of host:port, tried in turn; or "unix:/path" */
	struct stream_tls tls;
	uint64_t max_message_bytes;              /* either way; 0 = 16 MiB */
	uint32_t backoff_min_ms, backoff_max_ms; /* 0 = 500, 30000; a unix socket: 200, 2000 */
};

/* All are wanted. */
struct stream_client_events {
	/* The stream is open: send Hello now. */
	void (*opened)(void *arg);
	/* m is borrowed for the call.  Welcome and Heartbeat are handled inside and not shown. */
	void (*message)(void *arg, const Sluice__Stream__V1__ControlMessage *m);
	/* The stream is gone, or an attempt failed before opened(); why says how.  Another attempt
	 * follows by itself. */
	void (*closed)(void *arg, const struct why *why, uint32_t retry_in_ms);
	/* Asked for each Heartbeat sent. */
	uint64_t (*generation)(void *arg);
};

/* Strings of conf are read here and not kept, the events are kept.  Any function may be called
 * from inside any event, stream_client_free() too.  -EINVAL and why: an address or a TLS file. */
int stream_client_new(struct stream_client **ret, struct event_base *base,
		const struct stream_client_conf *conf, const struct stream_client_events *events,
		void *arg, struct why *why);
void stream_client_free(struct stream_client *c);
SL_DEFINE_AUTO(stream_client);

/* Queued and sent in order.  -ENOTCONN when no stream is open, -EMSGSIZE over the limit, -EILSEQ
 * when a string is not UTF-8 (stream/message.h repairs), -ENOBUFS when control reads nothing and
 * 64 MiB wait already, -ENOMEM. */
int stream_client_send(struct stream_client *c, const Sluice__Stream__V1__NodeMessage *m);
/* Drops the stream after a protocol violation by the other side; reconnects later. */
void stream_client_reset(struct stream_client *c, const char *reason);
/* The address in use, "" when none. */
const char *stream_client_peer(const struct stream_client *c);
