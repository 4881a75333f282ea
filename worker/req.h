/* SPDX-License-Identifier: Apache-2.0
 *
 * One request, from its head to its log: a table of steps and a driver.  A step says GO_ON,
 * WAIT (for bytes, a peer, a name, a parked plugin) or DONE; whatever wakes the request
 * calls req_drive(), which goes on where it stopped.
 */
#pragma once

#include "base/buf.h"
#include "plugin/chain.h"
#include "plugin/exchange.h"
#include "worker/balancer.h"
#include "worker/conn.h"
#include "worker/h1_parse.h"
#include "worker/route.h"
#include "worker/tracing.h"
#include "worker/upconn.h"

enum step_result { STEP_GO_ON, STEP_WAIT, STEP_DONE };

enum up_state {
	UP_START,
	UP_HOLDING, /* a chunked body is awaited, to be sent whole */
	UP_RESOLVING,
	UP_BALANCE, /* the next target of an upstream */
	UP_PICK,    /* the next peer */
	UP_CONNECTING,
	UP_EXCHANGING, /* request going out, response head awaited */
	UP_BUFFERING,  /* a plugin wants the response whole */
	UP_READY,      /* the response head is in (and its body, when buffered) */
};

/* The side towards the service. */
struct req_upstream {
	enum up_state state;
	struct upconn *conn; /* NULL: none, or gone */
	struct dns_wait wait;
	struct dns_answer peers;
	uint32_t next_peer, n_failed;
	struct balancer *balancer;  /* NULL: the host is no upstream */
	struct backend *backend;    /* of this try */
	uint32_t tried[8], n_tried; /* serials of backends */
	bool has_key;
	uint64_t key;       /* what the upstream hashes by */
	struct str head;    /* of the request, composed */
	struct str upgrade; /* what it offers; n == 0: nothing */
	struct out out;
	struct iobuf *in;   /* the response's head and what came with it */
	struct iobuf *more; /* the rest of its body, piece by piece */
	struct h1_scan scan;
	struct h1_head reply;
	struct h1_body body;
	bool is_started;      /* some byte went to this peer */
	bool is_request_sent; /* all of it */
	bool is_body_streamed, is_body_chunked;
	bool is_eof;
	bool is_upgraded; /* the service answered 101 to our offer */
};

/* One direction after an upgrade. */
struct tunnel_half {
	struct str first; /* what came behind the head */
	struct iobuf *held;
	uint64_t bytes; /* passed on */
	bool is_over;   /* ended there, and here */
};

struct req_tunnel {
	struct tunnel_half up, down;
	bool has_timer;
};

struct req {
	uint32_t magic;
	struct exchange x;
	struct worker *w;
	struct conn *conn;
	struct arena *arena;
	struct req *next_free;
	unsigned at; /* step */
	struct h1_head head;

	/* request body */
	struct h1_body body;
	struct iobuf *body_in; /* behind what came with the head */
	uint64_t body_bytes;
	struct buf held_body;
	size_t held_max;
	bool is_continue_sent, is_body_touched, is_body_bad;

	struct chain *chain;
	struct route_match *match;
	bool is_parked; /* a phase returned CHAIN_WAIT */
	bool is_resumable;
	struct event sleep;
	struct timer wait_limit;
	bool has_sleep;

	struct req_upstream up;
	struct req_trace trace;

	/* response */
	struct out out;
	struct buf held_reply;
	struct buf filtered;
	struct str memory_body; /* the body, when it is not streamed */
	bool is_streamed, is_head_made, is_reply_chunked, has_body_filter, is_end_queued;
	bool keep_alive; /* what the client was told */
	bool is_client_gone, is_half_closed, is_refused, is_aborted;
	uint64_t body_sent;
	char request_id[33];

	bool is_tunnel;
	struct req_tunnel tunnel;

	bool is_driving, is_woken;
};

#define REQ_MAGIC SL_MAGIC('R', 'E', 'Q', 'U')

/* From a whole head; starts to run when conn calls req_drive(). */
void req_start(struct conn *c, struct str head);
/* Answers a message that could not be read: status, then close.  message NULL: the status's. */
void req_refuse(struct conn *c, int status, const char *message);
void req_drive(struct req *q);
void req_on_client_timeout(struct req *q);
void req_on_upstream_timeout(struct req *q);

/* Between the parts of a request: */

/* request body (req_body.c): the next bytes; may_read: from the socket too. */
enum h1_more req_body_next(struct req *q, bool may_read, struct str *ret);
/* Holds the body whole; WAIT until it is there, too big, or failed. */
enum step_result req_body_hold(struct req *q);
void req_want_body(struct exchange *x, size_t max_bytes);
extern const struct exchange_ops req_ops;
/* What is left of the body has arrived already and is thrown away: the connection can go on. */
bool req_body_discard(struct req *q);
struct str req_body_leftover(const struct req *q);

/* the service's side (upstream.c, upstream_send.c, upstream_reply.c) */
enum step_result req_step_upstream(struct req *q);
/* Sends what can be sent.  0 = all is out, -EAGAIN, -errno */
int req_send(struct req *q);
/* The next bytes of the response's body; may_read: from the socket too. H1_BAD: broken off. */
enum h1_more req_reply_next(struct req *q, bool may_read, struct str *ret);
/* Reads until the response's head is in: 0, -EAGAIN, or -errno (-EPROTO: malformed). */
int req_read_reply_head(struct req *q);
/* Composes the request's head into up.head.  -ENOMEM */
int req_compose(struct req *q);
/* upstreams (upstream_target.c): true when the host to go to is one. */
bool req_find_balancer(struct req *q);
/* The next try's target into up.peers, head and Host.  0, -EAGAIN: names are awaited, -ENOENT: no
 * healthy target, -ENOMEM, -EINVAL. */
int req_balance(struct req *q);
/* The try's target failed, was not used before; or it answered. */
void req_backend_failed(struct req *q, int error);
void req_backend_answered(struct req *q);
/* Done with the peer: pooled if clean, else closed. */
void req_release_upstream(struct req *q, bool may_keep);

/* client_gone.c: looked at wherever the service keeps us waiting.  True: cancelled. */
bool req_client_left(struct req *q);
/* The time of a half-closed client is up.  True: cancelled. */
bool req_half_closed_is_over(struct req *q);

/* routes for https alone (https_only.c): came it by TLS, as a trusted proxy says or as it is? */
bool req_is_over_https(const struct req *q);
/* 426, or a redirect (route field). */
void req_answer_https_only(struct req *q, const struct route *r);

/* upgrades (tunnel.c): the client's offer that may go on to the service; n == 0: none. */
struct str req_upgrade_wanted(const struct req *q);
/* The 101 in up.reply answers what was offered. */
bool req_upgrade_is_due(const struct req *q);
void req_tunnel_start(struct req *q);
/* Moves what can be moved; GO_ON when it is over. */
enum step_result req_tunnel_run(struct req *q);
void req_tunnel_free(struct req *q);

/* the client's side (respond.c, reply_head.c) */
enum step_result req_step_respond(struct req *q);
/* Composes status line and fields into the arena; STR_NONE = out of memory. */
struct str req_reply_head(struct req *q, bool has_length, uint64_t length);
