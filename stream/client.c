/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/client.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hex.h"
#include "stream/address.h"
#include "stream/beat.h"
#include "stream/dial.h"
#include "stream/grpc_link.h"
#include "stream/message.h"
#include "stream/tls.h"

#define STREAM_CLIENT_MAGIC SL_MAGIC('S', 'T', 'C', 'L')
#define ADDRESSES_MAX 16
#define MESSAGE_DEFAULT_BYTES (16U * 1024U * 1024U)
#define BACKOFF_MIN_MS 500U
#define BACKOFF_MAX_MS 30000U
/* A control plane on a unix socket is our own child: it is back at once or soon. */
#define BACKOFF_UNIX_MIN_MS 200U
#define BACKOFF_UNIX_MAX_MS 2000U
#define GOODBYE_MAX_MS 600000U
#define WELCOME_TIMEOUT_S 10
#define HEARTBEAT_DEFAULT_MS 5000

typedef Sluice__Stream__V1__ControlMessage control_message;
typedef Sluice__Stream__V1__NodeMessage node_message;

struct stream_client {
	uint32_t magic;
	struct event_base *base;
	struct stream_client_conf conf;
	const struct stream_client_events *events;
	void *arg;
	char *addresses[ADDRESSES_MAX];
	size_t addresses_n, at; /* at: the one in use or next */
	size_t tried;           /* addresses since the last pause */
	unsigned failures;      /* pauses since the last Welcome */
	char *server_name;      /* NULL = the host dialled */
	SSL_CTX *tls;
	struct dial *dial;
	struct grpc_link *link;
	struct beat *beat;
	struct event *retry, *patience;
	bool is_open, is_welcome;
	uint32_t goodbye_min_ms, goodbye_max_ms; /* 0 = our own pause */
};

static bool address_is_unix(const struct stream_client *c)
{
	return strncmp(c->addresses[c->at], "unix:", 5) == 0;
}

/* Evenly in 0 … max_ms. */
static uint32_t jitter_ms(uint32_t max_ms)
{
	uint32_t random;

	random_bytes(&random, sizeof(random));
	return (uint32_t)((uint64_t)random * (max_ms + 1ULL) >> 32);
}

static uint32_t backoff_ms(const struct stream_client *c)
{
	bool is_unix = address_is_unix(c);
	uint32_t first = is_unix ? BACKOFF_UNIX_MIN_MS : c->conf.backoff_min_ms;
	uint32_t most = is_unix ? BACKOFF_UNIX_MAX_MS : c->conf.backoff_max_ms;
	uint64_t cap = (uint64_t)first << (c->failures < 20 ? c->failures : 20);

	return jitter_ms(cap < most ? (uint32_t)cap : most);
}

static uint32_t retry_next_ms(struct stream_client *c)
{
	uint32_t ms;

	if (c->goodbye_max_ms > 0) {
		ms = c->goodbye_min_ms + jitter_ms(c->goodbye_max_ms - c->goodbye_min_ms);
		c->tried = 0;
		return ms;
	}
	if (!c->is_welcome) {
		c->at = (c->at + 1) % c->addresses_n;
		if (++c->tried < c->addresses_n)
			return 0;
	}
	ms = backoff_ms(c);
	c->tried = 0;
	c->failures++;
	return ms;
}

static void attempt_drop(struct stream_client *c)
{
	event_del(c->patience);
	if (c->beat != NULL)
		beat_free(c->beat);
	c->beat = NULL;
	grpc_link_free(c->link);
	c->link = NULL;
	dial_free(c->dial);
	c->dial = NULL;
	c->is_open = false;
}

/* The owner may free the client in closed(): nothing follows it. */
static void attempt_lost(struct stream_client *c, const struct why *why)
{
	struct why kept = *why;
	uint32_t ms;
	struct timeval tv;

	attempt_drop(c);
	ms = retry_next_ms(c);
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_add(c->retry, &tv);
	c->events->closed(c->arg, &kept, ms);
}

static void beat_send(void *arg, uint64_t sequence)
{
	struct stream_client *c = arg;
	Sluice__Stream__V1__Heartbeat beat = SLUICE__STREAM__V1__HEARTBEAT__INIT;
	node_message m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;

	beat.sequence = sequence;
	beat.generation = c->events->generation(c->arg);
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	stream_client_send(c, &m);
}

static void link_opened(void *arg)
{
	struct stream_client *c = arg;

	c->is_open = true;
	c->events->opened(c->arg);
}

static void welcome_take(struct stream_client *c, const Sluice__Stream__V1__Welcome *w)
{
	char text[96];

	if (c->is_welcome || w->protocol != 1) {
		snprintf(text, sizeof(text), "Welcome %s (protocol %u)",
				c->is_welcome ? "came twice" : "of an unknown protocol",
				w->protocol);
		grpc_link_refuse(c->link, GRPC_FAILED_PRECONDITION, text);
		return;
	}
	c->is_welcome = true;
	c->failures = 0;
	event_del(c->patience);
	beat_start(c->beat, w->heartbeat_ms != 0 ? w->heartbeat_ms : HEARTBEAT_DEFAULT_MS);
}

static void goodbye_take(struct stream_client *c, const Sluice__Stream__V1__Goodbye *g)
{
	uint32_t most = g->reconnect_max_ms < GOODBYE_MAX_MS ? g->reconnect_max_ms : GOODBYE_MAX_MS;

	c->goodbye_min_ms =
			g->reconnect_min_ms < GOODBYE_MAX_MS ? g->reconnect_min_ms : GOODBYE_MAX_MS;
	c->goodbye_max_ms = most > c->goodbye_min_ms ? most : c->goodbye_min_ms;
	grpc_link_refuse(c->link, GRPC_OK, "control said goodbye");
}

static void message_take(struct stream_client *c, const control_message *m)
{
	if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_WELCOME)
		welcome_take(c, m->welcome);
	else if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_GOODBYE)
		goodbye_take(c, m->goodbye);
	else if (!c->is_welcome)
		grpc_link_refuse(c->link, GRPC_FAILED_PRECONDITION, "a message before Welcome");
	else if (m->body_case != SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_HEARTBEAT &&
			m->body_case != SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY__NOT_SET)
		c->events->message(c->arg, m);
}

static void link_message(void *arg, struct str wire)
{
	struct stream_client *c = arg;
	sl_auto(arena) a = NULL;
	control_message *m = NULL;

	if (message_arena_new(&a, wire.n) == 0)
		m = (control_message *)message_unpack(
				a, &sluice__stream__v1__control_message__descriptor, wire);
	if (m == NULL)
		grpc_link_refuse(c->link, GRPC_INVALID_ARGUMENT, "a malformed ControlMessage");
	else
		message_take(c, m);
}

static void link_drained(void *arg)
{
	(void)arg;
}

static void link_closed(void *arg, const struct why *why)
{
	attempt_lost(arg, why);
}

static const struct grpc_link_events link_events = {
		.opened = link_opened,
		.message = link_message,
		.drained = link_drained,
		.closed = link_closed,
};

static void authority_make(char *ret, size_t size, const struct address *a)
{
	if (a->is_unix)
		snprintf(ret, size, "localhost");
	else if (strchr(a->host, ':') != NULL)
		snprintf(ret, size, "[%s]:%s", a->host, a->port);
	else
		snprintf(ret, size, "%s:%s", a->host, a->port);
}

static int link_make(struct stream_client *c, int fd)
{
	char authority[ADDRESS_HOST_BYTES + 16];
	struct grpc_link_conf conf = {.role = GRPC_CLIENT,
			.max_message_bytes = c->conf.max_message_bytes,
			.authority = authority,
			.events = &link_events,
			.arg = c};
	struct address address;
	SSL *ssl = NULL;
	int r;

	sl_assert(address_parse(&address, str_of(c->addresses[c->at]), NULL) == 0);
	authority_make(authority, sizeof(authority), &address);
	if (c->tls != NULL && !address.is_unix) {
		ssl = tls_client_new(
				c->tls, c->server_name != NULL ? c->server_name : address.host);
		if (ssl == NULL) {
			close(fd);
			return -ENOMEM;
		}
	}
	r = grpc_link_new(&c->link, c->base, fd, ssl, &conf);
	return r != 0 ? r : beat_new(&c->beat, c->base, c->link, beat_send, c);
}

static void dial_done(void *arg, int fd, const struct why *why)
{
	struct stream_client *c = arg;
	struct why lost = WHY_NONE;

	if (fd < 0) {
		attempt_lost(c, why);
		return;
	}
	dial_free(c->dial);
	c->dial = NULL;
	if (link_make(c, fd) != 0) {
		why_set(&lost, NULL, 0, "out of memory");
		attempt_lost(c, &lost);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct stream_client *c = arg;
	struct timeval tv = {.tv_sec = WELCOME_TIMEOUT_S};
	struct why why = WHY_NONE;

	(void)fd;
	(void)what;
	sl_check(c, STREAM_CLIENT_MAGIC);
	c->is_welcome = false;
	c->goodbye_min_ms = c->goodbye_max_ms = 0;
	event_add(c->patience, &tv);
	if (dial_start(&c->dial, c->base, c->addresses[c->at], dial_done, c, &why) != 0) {
		if (why.text[0] == '\0')
			why_set(&why, NULL, 0, "out of memory");
		attempt_lost(c, &why);
	}
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct why why = WHY_NONE;

	(void)fd;
	(void)what;
	why_set(&why, NULL, 0, "no Welcome within %d s", WELCOME_TIMEOUT_S);
	attempt_lost(arg, &why);
}

static int address_add(struct stream_client *c, struct str text, struct why *why)
{
	struct address parsed;
	int r = address_parse(&parsed, text, why);

	if (r != 0)
		return r;
	if (c->addresses_n == ADDRESSES_MAX) {
		why_set(why, NULL, 0, "more than %d control-plane addresses", ADDRESSES_MAX);
		return -EINVAL;
	}
	c->addresses[c->addresses_n] = strndup(text.p, text.n);
	return c->addresses[c->addresses_n++] != NULL ? 0 : -ENOMEM;
}

static int addresses_take(struct stream_client *c, const char *list, struct why *why)
{
	struct str rest = str_of(list);

	while (rest.n > 0) {
		ptrdiff_t comma = str_find_char(rest, ',');
		struct str one = str_trim(comma < 0 ? rest : str_head(rest, (size_t)comma));
		int r = one.n > 0 ? address_add(c, one, why) : 0;

		if (r != 0)
			return r;
		rest = comma < 0 ? STR_NONE : str_from(rest, (size_t)comma + 1);
	}
	if (c->addresses_n > 0)
		return 0;
	why_set(why, NULL, 0, "no control-plane address was given");
	return -EINVAL;
}

static int conf_take(
		struct stream_client *c, const struct stream_client_conf *conf, struct why *why)
{
	const char *name = conf->tls.server_name;
	int r = addresses_take(c, conf->addresses, why);

	c->conf = *conf;
	if (c->conf.max_message_bytes == 0)
		c->conf.max_message_bytes = MESSAGE_DEFAULT_BYTES;
	if (c->conf.backoff_min_ms == 0)
		c->conf.backoff_min_ms = BACKOFF_MIN_MS;
	if (c->conf.backoff_max_ms == 0)
		c->conf.backoff_max_ms = BACKOFF_MAX_MS;
	if (r == 0 && name != NULL && name[0] != '\0') {
		c->server_name = strdup(name);
		r = c->server_name != NULL ? 0 : -ENOMEM;
	}
	if (r == 0 && tls_is_wanted(&conf->tls))
		r = tls_client_context(&c->tls, &conf->tls, why);
	return r;
}

int stream_client_new(struct stream_client **ret, struct event_base *base,
		const struct stream_client_conf *conf, const struct stream_client_events *events,
		void *arg, struct why *why)
{
	sl_auto(stream_client) c = calloc(1, sizeof(*c));
	struct timeval now = {.tv_sec = 0};
	int r;

	if (c == NULL)
		return why_errno(why, ENOMEM, "stream client");
	/* OpenSSL writes to a socket without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	c->magic = STREAM_CLIENT_MAGIC;
	c->base = base;
	c->events = events;
	c->arg = arg;
	r = conf_take(c, conf, why);
	if (r != 0)
		return r;
	c->retry = evtimer_new(base, on_retry, c);
	c->patience = evtimer_new(base, on_patience, c);
	if (c->retry == NULL || c->patience == NULL || event_add(c->retry, &now) != 0)
		return why_errno(why, ENOMEM, "stream client");
	*ret = sl_steal(c);
	return 0;
}

void stream_client_free(struct stream_client *c)
{
	if (c == NULL)
		return;
	sl_check(c, STREAM_CLIENT_MAGIC);
	if (c->patience != NULL)
		attempt_drop(c);
	if (c->patience != NULL)
		event_free(c->patience);
	if (c->retry != NULL)
		event_free(c->retry);
	for (size_t i = 0; i < c->addresses_n; i++)
		free(c->addresses[i]);
	free(c->server_name);
	SSL_CTX_free(c->tls);
	c->magic = 0;
	free(c);
}

int stream_client_send(struct stream_client *c, const node_message *m)
{
	sl_check(c, STREAM_CLIENT_MAGIC);
	if (!c->is_open)
		return -ENOTCONN;
	return grpc_link_send(c->link, &m->base, c->conf.max_message_bytes);
}

void stream_client_reset(struct stream_client *c, const char *reason)
{
	sl_check(c, STREAM_CLIENT_MAGIC);
	if (c->link != NULL)
		grpc_link_refuse(c->link, GRPC_ABORTED, reason);
}

const char *stream_client_peer(const struct stream_client *c)
{
	sl_check(c, STREAM_CLIENT_MAGIC);
	return c->is_open ? c->addresses[c->at] : "";
}
