/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/clock.h"
#include "stream/listen.h"
#include "stream/peer.h"
#include "stream/tls.h"

#define STREAM_SERVER_MAGIC SL_MAGIC('S', 'T', 'S', 'V')
#define MESSAGE_DEFAULT_BYTES (16U * 1024U * 1024U)
#define HEARTBEAT_DEFAULT_MS 5000
#define ADMIT_DEFAULT 25
/* Connections that have not said Hello: more are closed as they come. */
#define STRANGERS_MAX 512
#define LISTENERS_MAX 16
#define ACCEPT_PAUSE_MS 500

struct stream_server {
	uint32_t magic;
	struct event_base *base;
	struct peer_conf peer_conf;
	char *control_id;
	SSL_CTX *tls;
	struct evconnlistener *listeners[LISTENERS_MAX];
	size_t listeners_n;
	struct event *resume; /* accepting, after descriptors ran out */
	struct peer_list peers;
	unsigned strangers_n;
	uint32_t admit_per_second;
	double tokens;
	uint64_t tokens_ms;
};

/* A bucket of one second's worth. */
static enum grpc_status server_admit(void *arg, const char **ret_text)
{
	struct stream_server *s = arg;
	uint64_t now = clock_mono_ms();

	s->tokens += (double)(now - s->tokens_ms) * s->admit_per_second / 1000.0;
	s->tokens_ms = now;
	if (s->tokens > s->admit_per_second)
		s->tokens = s->admit_per_second;
	if (s->tokens < 1.0) {
		*ret_text = "too many new streams at once; try again later";
		return GRPC_UNAVAILABLE;
	}
	s->tokens -= 1.0;
	return GRPC_OK;
}

static void server_peer_known(void *arg)
{
	struct stream_server *s = arg;

	s->strangers_n--;
}

static void server_peer_gone(void *arg, struct stream_peer *p)
{
	struct stream_server *s = arg;

	if (!peer_is_known(p))
		s->strangers_n--;
	TAILQ_REMOVE(&s->peers, p, entry);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		int from_n, void *arg)
{
	struct stream_server *s = arg;
	struct stream_peer *p = NULL;
	SSL *ssl = NULL;

	(void)listener;
	(void)from_n;
	sl_check(s, STREAM_SERVER_MAGIC);
	if (s->strangers_n >= STRANGERS_MAX) {
		close(fd);
		return;
	}
	if (s->tls != NULL && from->sa_family != AF_UNIX) {
		ssl = tls_server_new(s->tls);
		if (ssl == NULL) {
			close(fd);
			return;
		}
	}
	if (peer_new(&p, s->base, fd, ssl, from, &s->peer_conf) != 0)
		return;
	s->strangers_n++;
	TAILQ_INSERT_TAIL(&s->peers, p, entry);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct stream_server *s = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < s->listeners_n; i++)
		evconnlistener_enable(s->listeners[i]);
}

/* Out of descriptors: a listener that stays readable would spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct stream_server *s = arg;
	struct timeval tv = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	evconnlistener_disable(listener);
	evtimer_add(s->resume, &tv);
}

static int conf_take(
		struct stream_server *s, const struct stream_server_conf *conf, struct why *why)
{
	s->control_id = strdup(conf->control_id != NULL ? conf->control_id : "");
	if (s->control_id == NULL)
		return why_errno(why, ENOMEM, "stream server");
	s->peer_conf.control_id = s->control_id;
	s->peer_conf.max_message_bytes = conf->max_message_bytes != 0 ? conf->max_message_bytes
								      : MESSAGE_DEFAULT_BYTES;
	s->peer_conf.heartbeat_ms =
			conf->heartbeat_ms != 0 ? conf->heartbeat_ms : HEARTBEAT_DEFAULT_MS;
	s->admit_per_second = conf->admit_per_second != 0 ? conf->admit_per_second : ADMIT_DEFAULT;
	s->tokens = s->admit_per_second;
	s->tokens_ms = clock_mono_ms();
	return tls_is_wanted(&conf->tls) ? tls_server_context(&s->tls, &conf->tls, why) : 0;
}

int stream_server_new(struct stream_server **ret, struct event_base *base,
		const struct stream_server_conf *conf, const struct stream_server_events *events,
		void *arg, struct why *why)
{
	sl_auto(stream_server) s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return why_errno(why, ENOMEM, "stream server");
	/* OpenSSL writes to a socket without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	s->magic = STREAM_SERVER_MAGIC;
	s->base = base;
	TAILQ_INIT(&s->peers);
	s->peer_conf = (struct peer_conf){.events = events,
			.arg = arg,
			.admit = server_admit,
			.known = server_peer_known,
			.gone = server_peer_gone,
			.server = s};
	r = conf_take(s, conf, why);
	if (r != 0)
		return r;
	s->resume = evtimer_new(base, on_resume, s);
	if (s->resume == NULL)
		return why_errno(why, ENOMEM, "stream server");
	*ret = sl_steal(s);
	return 0;
}

void stream_server_free(struct stream_server *s)
{
	struct stream_peer *p;

	if (s == NULL)
		return;
	sl_check(s, STREAM_SERVER_MAGIC);
	for (size_t i = 0; i < s->listeners_n; i++)
		evconnlistener_free(s->listeners[i]);
	while ((p = TAILQ_FIRST(&s->peers)) != NULL) {
		TAILQ_REMOVE(&s->peers, p, entry);
		peer_free(p);
	}
	if (s->resume != NULL)
		event_free(s->resume);
	SSL_CTX_free(s->tls);
	free(s->control_id);
	s->magic = 0;
	free(s);
}

int stream_server_listen(struct stream_server *s, const char *address, struct why *why)
{
	int r;

	sl_check(s, STREAM_SERVER_MAGIC);
	if (s->listeners_n == LISTENERS_MAX) {
		why_set(why, NULL, 0, "more than %d listening addresses", LISTENERS_MAX);
		return -E2BIG;
	}
	r = listen_open(&s->listeners[s->listeners_n], s->base, address, on_accept, s, why);
	if (r != 0)
		return r;
	evconnlistener_set_error_cb(s->listeners[s->listeners_n++], on_accept_error);
	return 0;
}
