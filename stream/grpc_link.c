/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/grpc_link.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent_ssl.h>

#include "base/clock.h"
#include "stream/grpc_link_impl.h"
#include "stream/message.h"

#define LINGER_MS 2000
#define QUEUE_MAX_BYTES (64U * 1024U * 1024U)
/* The write callback comes when so much is left, so that the pipe never runs dry. */
#define OUTPUT_LOW_BYTES (64U * 1024U)
#define READ_BYTES (128U * 1024U) /* of one turn */

void link_turn_soon(struct grpc_link *l)
{
	event_active(l->turn, 0, 0);
}

void link_fail(struct grpc_link *l, const char *fmt, ...)
{
	va_list ap;

	if (l->why.text[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(l->why.text, sizeof(l->why.text), fmt, ap);
		va_end(ap);
	}
	if (l->is_dead)
		return;
	l->is_dead = true;
	bufferevent_disable(l->bev, EV_READ | EV_WRITE);
	link_turn_soon(l);
}

static void link_destroy(struct grpc_link *l)
{
	nghttp2_session_del(l->session);
	if (l->bev != NULL)
		bufferevent_free(l->bev);
	if (l->turn != NULL)
		event_free(l->turn);
	if (l->linger != NULL)
		event_free(l->linger);
	if (l->queue != NULL)
		evbuffer_free(l->queue);
	grpc_decoder_done(&l->decoder);
	free(l->authority);
	l->magic = 0;
	free(l);
}

/* Nothing is left to say: what the peer still sends is thrown away until it closes, since
 * closing first would reset the connection and could lose our last words. */
static void link_shut(struct grpc_link *l)
{
	int fd = bufferevent_getfd(l->bev);

	if (l->is_shut || evbuffer_get_length(bufferevent_get_output(l->bev)) > 0)
		return;
	l->is_shut = true;
	if (l->conf.role == GRPC_CLIENT) {
		link_fail(l, "closed");
		return;
	}
	if (grpc_link_ssl(l) == NULL && fd >= 0)
		shutdown(fd, SHUT_WR);
}

static void link_drained(struct grpc_link *l)
{
	size_t queued = grpc_link_queued(l);

	if (queued == 0)
		l->sent_ms = clock_mono_ms();
	if (!l->is_above || queued >= GRPC_LINK_DRAINED_BYTES)
		return;
	l->is_above = false;
	if (!l->is_finishing && !l->is_orphan && !l->is_dead)
		l->conf.events->drained(l->conf.arg);
}

static void link_linger(struct grpc_link *l)
{
	struct timeval tv = {.tv_sec = LINGER_MS / 1000, .tv_usec = LINGER_MS % 1000 * 1000};

	if (!evtimer_pending(l->linger, NULL))
		evtimer_add(l->linger, &tv);
}

static void link_enter(struct grpc_link *l)
{
	sl_check(l, GRPC_LINK_MAGIC);
	l->depth++;
}

/* Ends every event handler: writes what the handler caused, tells the owner, and frees the
 * link if the owner asked for that meanwhile. */
static void link_leave(struct grpc_link *l)
{
	if (!l->is_dead && l->session != NULL) {
		link_session_write(l);
		if (!l->is_dead && !nghttp2_session_want_read(l->session) &&
				!nghttp2_session_want_write(l->session)) {
			if (!l->is_finishing)
				why_set(&l->why, NULL, 0, "HTTP/2 protocol error");
			l->is_finishing = true;
			link_linger(l);
			link_shut(l);
		}
	}
	if (!l->is_dead)
		link_drained(l);
	if (l->is_dead && !l->is_told && !l->is_orphan) {
		l->is_told = true;
		l->conf.events->closed(l->conf.arg, &l->why);
	}
	l->depth--;
	if (l->is_orphan && l->depth == 0)
		link_destroy(l);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_enter(arg);
	link_leave(arg);
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_enter(arg);
	link_fail(arg, "closed");
	link_leave(arg);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct grpc_link *l = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	link_enter(l);
	if (l->session != NULL && !l->is_shut && !l->is_dead)
		link_session_read(l);
	else
		evbuffer_drain(in, evbuffer_get_length(in));
	link_leave(l);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	(void)bev;
	link_enter(arg);
	link_leave(arg);
}

static void tls_failed(struct grpc_link *l)
{
	unsigned long e = bufferevent_get_openssl_error(l->bev);
	long verdict = SSL_get_verify_result(grpc_link_ssl(l));
	char text[256];

	if (verdict != X509_V_OK) {
		link_fail(l, "TLS: the other side's certificate was refused: %s",
				X509_verify_cert_error_string(verdict));
		return;
	}
	if (e == 0) {
		link_fail(l, "TLS: the connection was closed in the handshake");
		return;
	}
	ERR_error_string_n(e, text, sizeof(text));
	link_fail(l, "TLS: %s", text);
}

static void tls_connected(struct grpc_link *l)
{
	const unsigned char *protocol;
	unsigned n;

	SSL_get0_alpn_selected(grpc_link_ssl(l), &protocol, &n);
	if (n != 2 || memcmp(protocol, "h2", 2) != 0)
		link_fail(l, "TLS: the other side does not speak HTTP/2 (no ALPN h2)");
	else if (link_session_start(l) != 0)
		link_fail(l, "out of memory");
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct grpc_link *l = arg;
	int err = EVUTIL_SOCKET_ERROR();

	(void)bev;
	link_enter(l);
	if ((what & BEV_EVENT_CONNECTED) != 0)
		tls_connected(l);
	else if (grpc_link_ssl(l) != NULL && (l->session == NULL || (what & BEV_EVENT_ERROR) != 0))
		tls_failed(l);
	else if ((what & BEV_EVENT_ERROR) != 0)
		link_fail(l, "connection lost: %s", strerror(err));
	else
		link_fail(l, "connection closed by the other side");
	link_leave(l);
}

static int link_set_up(struct grpc_link *l, struct event_base *base)
{
	l->turn = event_new(base, -1, 0, on_turn, l);
	l->linger = evtimer_new(base, on_linger, l);
	l->queue = evbuffer_new();
	if (l->conf.role == GRPC_CLIENT) {
		l->authority = strdup(l->conf.authority);
		if (l->authority == NULL)
			return -ENOMEM;
	}
	if (l->turn == NULL || l->linger == NULL || l->queue == NULL)
		return -ENOMEM;
	bufferevent_setcb(l->bev, on_read, on_write, on_event, l);
	bufferevent_setwatermark(l->bev, EV_WRITE, OUTPUT_LOW_BYTES, 0);
	bufferevent_set_max_single_read(l->bev, READ_BYTES);
	bufferevent_set_max_single_write(l->bev, READ_BYTES);
	if (bufferevent_enable(l->bev, EV_READ | EV_WRITE) != 0)
		return -ENOMEM;
	return grpc_link_ssl(l) == NULL ? link_session_start(l) : 0;
}

static struct bufferevent *bev_make(struct event_base *base, int fd, SSL *ssl, enum grpc_role role)
{
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;

	if (ssl == NULL)
		return bufferevent_socket_new(base, fd, options);
	return bufferevent_openssl_socket_new(base, fd, ssl,
			role == GRPC_CLIENT ? BUFFEREVENT_SSL_CONNECTING
					    : BUFFEREVENT_SSL_ACCEPTING,
			options);
}

int grpc_link_new(struct grpc_link **ret, struct event_base *base, int fd, SSL *ssl,
		const struct grpc_link_conf *conf)
{
	sl_auto(grpc_link) l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL) {
		SSL_free(ssl);
		close(fd);
		return -ENOMEM;
	}
	l->magic = GRPC_LINK_MAGIC;
	l->bev = bev_make(base, fd, ssl, conf->role);
	if (l->bev == NULL) {
		close(fd);
		return -ENOMEM;
	}
	l->conf = *conf;
	l->heard_ms = l->sent_ms = clock_mono_ms();
	grpc_decoder_init(&l->decoder, conf->max_message_bytes);
	r = link_set_up(l, base);
	if (r != 0)
		return r;
	if (ssl == NULL)
		link_turn_soon(l);
	*ret = sl_steal(l);
	return 0;
}

void grpc_link_free(struct grpc_link *l)
{
	if (l == NULL)
		return;
	sl_check(l, GRPC_LINK_MAGIC);
	l->is_orphan = true;
	if (l->depth == 0)
		link_destroy(l);
}

int grpc_link_send(struct grpc_link *l, const ProtobufCMessage *m, size_t max_bytes)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	struct evbuffer_iovec room;
	uint8_t *p;

	sl_check(l, GRPC_LINK_MAGIC);
	if (l->call_id == 0 || l->is_finishing || l->is_dead)
		return -ENOTCONN;
	if (n > max_bytes || n > UINT32_MAX)
		return -EMSGSIZE;
	if (!message_is_utf8(m))
		return -EILSEQ;
	if (grpc_link_queued(l) > QUEUE_MAX_BYTES)
		return -ENOBUFS;
	if (evbuffer_reserve_space(l->queue, (ssize_t)(n + GRPC_PREFIX_BYTES), &room, 1) < 1)
		return -ENOMEM;
	p = room.iov_base;
	grpc_prefix_make(p, (uint32_t)n);
	protobuf_c_message_pack(m, p + GRPC_PREFIX_BYTES);
	room.iov_len = n + GRPC_PREFIX_BYTES;
	if (evbuffer_commit_space(l->queue, &room, 1) != 0)
		return -ENOMEM;
	if (grpc_link_queued(l) >= GRPC_LINK_DRAINED_BYTES)
		l->is_above = true;
	nghttp2_session_resume_data(l->session, l->call_id);
	link_turn_soon(l);
	return 0;
}

size_t grpc_link_queued(const struct grpc_link *l)
{
	return evbuffer_get_length(l->queue) + evbuffer_get_length(bufferevent_get_output(l->bev));
}

void grpc_link_finish(struct grpc_link *l, enum grpc_status status, const char *text)
{
	sl_check(l, GRPC_LINK_MAGIC);
	if (l->is_finishing || l->is_dead)
		return;
	l->is_finishing = true;
	l->final_status = status;
	grpc_message_encode(l->final_text, sizeof(l->final_text), text);
	why_set(&l->why, NULL, 0, "%s", text);
	if (l->call_id == 0) {
		link_fail(l, "closed");
		return;
	}
	nghttp2_session_resume_data(l->session, l->call_id);
	link_linger(l);
	link_turn_soon(l);
}

void grpc_link_refuse(struct grpc_link *l, enum grpc_status status, const char *text)
{
	sl_check(l, GRPC_LINK_MAGIC);
	if (l->is_finishing || l->is_dead)
		return;
	evbuffer_drain(l->queue, evbuffer_get_length(l->queue));
	grpc_link_finish(l, status, text);
	why_set(&l->why, NULL, 0, "%s: %s", grpc_status_name(status), text);
	if (l->conf.role == GRPC_CLIENT && l->call_id != 0)
		nghttp2_submit_rst_stream(
				l->session, NGHTTP2_FLAG_NONE, l->call_id, NGHTTP2_CANCEL);
}

void grpc_link_kill(struct grpc_link *l, const char *text)
{
	sl_check(l, GRPC_LINK_MAGIC);
	link_fail(l, "%s", text);
}

uint64_t grpc_link_heard_ms(const struct grpc_link *l)
{
	return l->heard_ms;
}

uint64_t grpc_link_sent_ms(const struct grpc_link *l)
{
	return l->sent_ms;
}

SSL *grpc_link_ssl(const struct grpc_link *l)
{
	return bufferevent_openssl_get_ssl(l->bev);
}
