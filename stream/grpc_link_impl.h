/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three files of grpc_link share: grpc_link.c (connection, life, queue),
 * grpc_h2.c (the HTTP/2 session) and grpc_call.c (heads of requests and responses).
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>

#include "base/check.h"
#include "stream/grpc_frame.h"
#include "stream/grpc_link.h"

#define GRPC_LINK_MAGIC SL_MAGIC('G', 'L', 'N', 'K')

/* The header fields of the block being received that anybody asks for. */
struct grpc_head {
	char method[16], path[64], content_type[64], encoding[32];
	char http_status[4], status[4], message[512];
};

struct grpc_link {
	uint32_t magic;
	struct grpc_link_conf conf;
	char *authority; /* conf.authority of a client */
	struct bufferevent *bev;
	struct event *turn;   /* made active by whoever queued something */
	struct event *linger; /* armed when the end has begun */
	nghttp2_session *session;
	int32_t call_id;  /* stream id of the call; 0 = none */
	unsigned calls_n; /* streams the peer has opened */
	struct grpc_head head;
	struct grpc_decoder decoder;
	struct evbuffer *queue; /* framed messages */
	uint64_t heard_ms, sent_ms;
	bool is_above;     /* drained() is owed */
	bool is_called;    /* client: the request was submitted */
	bool is_finishing; /* no more messages in either direction */
	bool is_shut;      /* nothing will be written any more; reading until the peer closes */
	bool is_dead, is_told, is_orphan;
	int depth; /* of event handlers on the stack */
	enum grpc_status final_status;
	char final_text[512];
	struct why why;
};

/* grpc_link.c: the connection ends now; the first reason given stays. */
void link_fail(struct grpc_link *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void link_turn_soon(struct grpc_link *l);

/* grpc_h2.c */
int link_session_start(struct grpc_link *l);
/* Session → bev, until the peer's window or ours is full. */
void link_session_write(struct grpc_link *l);
void link_session_read(struct grpc_link *l);

/* grpc_call.c: the block in l->head is whole. */
int call_make(struct grpc_link *l);
int call_serve(struct grpc_link *l, int32_t id, bool is_end);
void call_response(struct grpc_link *l);
/* The call is gone from the session. */
void call_closed(struct grpc_link *l, uint32_t error_code);
/* Bytes of the call. */
void call_data(struct grpc_link *l, struct str data);
/* The peer will send no more. */
void call_half_closed(struct grpc_link *l);
