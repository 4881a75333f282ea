/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/peer.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "stream/beat.h"
#include "stream/message.h"
#include "stream/tls.h"

#define STREAM_PEER_MAGIC SL_MAGIC('S', 'T', 'P', 'R')
#define HELLO_TIMEOUT_S 10

typedef Sluice__Stream__V1__ControlMessage control_message;
typedef Sluice__Stream__V1__NodeMessage node_message;

static void beat_send(void *arg, uint64_t sequence)
{
	Sluice__Stream__V1__Heartbeat beat = SLUICE__STREAM__V1__HEARTBEAT__INIT;
	control_message m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;

	beat.sequence = sequence;
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	stream_peer_send(arg, &m);
}

static void welcome_send(struct stream_peer *p)
{
	Sluice__Stream__V1__Welcome welcome;
	control_message m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;

	sluice__stream__v1__welcome__init(&welcome);
	welcome.protocol = 1;
	welcome.heartbeat_ms = p->conf->heartbeat_ms;
	welcome.control_id = (char *)(uintptr_t)p->conf->control_id;
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_WELCOME;
	m.welcome = &welcome;
	stream_peer_send(p, &m);
}

static void hello_take(struct stream_peer *p, const Sluice__Stream__V1__Hello *h)
{
	char text[64];

	if (p->has_hello) {
		grpc_link_refuse(p->link, GRPC_INVALID_ARGUMENT, "Hello came twice");
		return;
	}
	if (h->protocol != 1) {
		snprintf(text, sizeof(text), "protocol %u is not spoken here, 1 is", h->protocol);
		grpc_link_refuse(p->link, GRPC_FAILED_PRECONDITION, text);
		return;
	}
	if (h->node_id[0] == '\0') {
		grpc_link_refuse(p->link, GRPC_INVALID_ARGUMENT, "Hello without a node_id");
		return;
	}
	p->has_hello = true;
	event_del(p->patience);
	p->conf->known(p->conf->server);
	if (h->max_message_bytes > 0 && h->max_message_bytes < p->max_send_bytes)
		p->max_send_bytes = h->max_message_bytes;
	welcome_send(p);
	beat_start(p->beat, p->conf->heartbeat_ms);
	p->conf->events->hello(p->conf->arg, p, h);
}

/* A body of a later version of the protocol is passed over. */
static void message_take(struct stream_peer *p, const node_message *m)
{
	const struct stream_server_events *events = p->conf->events;

	if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HELLO)
		hello_take(p, m->hello);
	else if (!p->has_hello)
		grpc_link_refuse(p->link, GRPC_INVALID_ARGUMENT, "Hello must come first");
	else if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HEARTBEAT)
		events->heartbeat(p->conf->arg, p, m->heartbeat->generation);
	else if (m->body_case != SLUICE__STREAM__V1__NODE_MESSAGE__BODY__NOT_SET)
		events->message(p->conf->arg, p, m);
}

static void link_message(void *arg, struct str wire)
{
	struct stream_peer *p = arg;
	sl_auto(arena) a = NULL;
	node_message *m = NULL;

	sl_check(p, STREAM_PEER_MAGIC);
	if (message_arena_new(&a, wire.n) == 0)
		m = (node_message *)message_unpack(
				a, &sluice__stream__v1__node_message__descriptor, wire);
	if (m == NULL)
		grpc_link_refuse(p->link, GRPC_INVALID_ARGUMENT, "a malformed NodeMessage");
	else
		message_take(p, m);
}

static enum grpc_status link_admit(void *arg, const char **ret_text)
{
	struct stream_peer *p = arg;
	char subject[256];

	tls_peer_subject(grpc_link_ssl(p->link), subject, sizeof(subject));
	snprintf(p->name, sizeof(p->name), "%s%s%s", p->address, subject[0] != '\0' ? " " : "",
			subject);
	return p->conf->admit(p->conf->server, ret_text);
}

static void link_opened(void *arg)
{
	(void)arg;
}

static void link_drained(void *arg)
{
	struct stream_peer *p = arg;

	if (p->has_hello)
		p->conf->events->drained(p->conf->arg, p);
}

/* The owner may free the server in closed(); the peer is out of its list by then. */
static void link_closed(void *arg, const struct why *why)
{
	struct stream_peer *p = arg;

	sl_check(p, STREAM_PEER_MAGIC);
	p->conf->gone(p->conf->server, p);
	if (p->has_hello)
		p->conf->events->closed(p->conf->arg, p, why);
	peer_free(p);
}

static const struct grpc_link_events link_events = {
		.admit = link_admit,
		.opened = link_opened,
		.message = link_message,
		.drained = link_drained,
		.closed = link_closed,
};

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct stream_peer *p = arg;

	(void)fd;
	(void)what;
	sl_check(p, STREAM_PEER_MAGIC);
	grpc_link_refuse(p->link, GRPC_DEADLINE_EXCEEDED, "Hello did not come in time");
}

static void address_print(struct stream_peer *p, int fd, const struct sockaddr *from)
{
	char host[64], port[8];
	struct ucred who = {.pid = 0};
	socklen_t n = sizeof(who);
	socklen_t from_n = from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);

	if (from->sa_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
		snprintf(p->address, sizeof(p->address), "unix:pid=%d,uid=%u", (int)who.pid,
				who.uid);
	else if (from->sa_family == AF_UNIX ||
			getnameinfo(from, from_n, host, sizeof(host), port, sizeof(port),
					NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(p->address, sizeof(p->address), "unknown");
	else
		snprintf(p->address, sizeof(p->address),
				from->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	snprintf(p->name, sizeof(p->name), "%s", p->address);
}

static int peer_set_up(struct stream_peer *p, struct event_base *base, int fd, SSL *ssl)
{
	struct grpc_link_conf conf = {.role = GRPC_SERVER,
			.max_message_bytes = p->conf->max_message_bytes,
			.events = &link_events,
			.arg = p};
	struct timeval tv = {.tv_sec = HELLO_TIMEOUT_S};
	int r = grpc_link_new(&p->link, base, fd, ssl, &conf);

	if (r == 0)
		r = beat_new(&p->beat, base, p->link, beat_send, p);
	if (r != 0)
		return r;
	p->patience = evtimer_new(base, on_patience, p);
	return p->patience != NULL && evtimer_add(p->patience, &tv) == 0 ? 0 : -ENOMEM;
}

int peer_new(struct stream_peer **ret, struct event_base *base, int fd, SSL *ssl,
		const struct sockaddr *from, const struct peer_conf *conf)
{
	struct stream_peer *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL) {
		SSL_free(ssl);
		close(fd);
		return -ENOMEM;
	}
	p->magic = STREAM_PEER_MAGIC;
	p->conf = conf;
	p->max_send_bytes = conf->max_message_bytes;
	address_print(p, fd, from);
	r = peer_set_up(p, base, fd, ssl);
	if (r != 0) {
		peer_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void peer_free(struct stream_peer *p)
{
	sl_check(p, STREAM_PEER_MAGIC);
	beat_free(p->beat);
	if (p->patience != NULL)
		event_free(p->patience);
	grpc_link_free(p->link);
	p->magic = 0;
	free(p);
}

bool peer_is_known(const struct stream_peer *p)
{
	return p->has_hello;
}

int stream_peer_send(struct stream_peer *p, const control_message *m)
{
	sl_check(p, STREAM_PEER_MAGIC);
	return grpc_link_send(p->link, &m->base, p->max_send_bytes);
}

size_t stream_peer_queued(const struct stream_peer *p)
{
	sl_check(p, STREAM_PEER_MAGIC);
	return grpc_link_queued(p->link);
}

void stream_peer_close(struct stream_peer *p, const char *reason)
{
	Sluice__Stream__V1__Goodbye goodbye = SLUICE__STREAM__V1__GOODBYE__INIT;
	control_message m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;

	sl_check(p, STREAM_PEER_MAGIC);
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_GOODBYE;
	m.goodbye = &goodbye;
	stream_peer_send(p, &m);
	grpc_link_finish(p->link, GRPC_OK, reason);
}

void stream_peer_set_user(struct stream_peer *p, void *user)
{
	sl_check(p, STREAM_PEER_MAGIC);
	p->user = user;
}

void *stream_peer_user(const struct stream_peer *p)
{
	sl_check(p, STREAM_PEER_MAGIC);
	return p->user;
}

const char *stream_peer_name(const struct stream_peer *p)
{
	sl_check(p, STREAM_PEER_MAGIC);
	return p->name;
}
