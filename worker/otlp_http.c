/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/otlp_http.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/http_date.h"
#include "worker/h1_parse.h"
#include "worker/h1_scan.h"
#include "worker/worker.h"

#define REPLY_MAX 65536
#define RETRY_AFTER_MAX_S 3600

enum state { IDLE, RESOLVING, CONNECTING, EXCHANGING };

struct otlp_http {
	struct worker *w;
	otlp_http_fn *fn;
	void *arg;
	/* the endpoint */
	bool is_tls;
	struct str host, path; /* of conf */
	uint16_t port;
	struct buf fields; /* Host, and what the configuration adds */
	/* the request in hand */
	enum state state;
	struct buf head;
	struct str body;
	size_t n_sent; /* of head and body together */
	struct buf reply;
	struct h1_scan scan;
	struct h1_head read;
	struct h1_body rest;
	bool has_head, is_reused;
	uint32_t retry_after_ms;
	/* the connection */
	struct dns_wait wait;
	struct io io;
	struct tls_link *tls;
	bool is_open, is_up;
	struct timer timer;
};

static const struct h1_limits limits = {8192, 32768, 200};

static void drop_connection(struct otlp_http *h)
{
	if (!h->is_open)
		return;
	if (h->tls != NULL)
		tls_link_close(h->tls);
	h->tls = NULL;
	io_close(&h->io);
	h->is_open = h->is_up = false;
}

static void finish(struct otlp_http *h, int status)
{
	h->state = IDLE;
	timer_clear(&h->timer);
	dns_cancel(&h->wait);
	if (status < 0 || !h->has_head || !h->read.keep_alive || h->io.is_peer_closed)
		drop_connection(h);
	h->fn(h->arg, status, status >= 0 ? h->retry_after_ms : 0);
}

/* 0 = all is out, -EAGAIN, -errno */
static int send_more(struct otlp_http *h)
{
	size_t all = h->head.n + h->body.n;

	while (h->n_sent < all) {
		struct str head = str_from(buf_str(&h->head), h->n_sent);
		struct str body = str_from(
				h->body, h->n_sent > h->head.n ? h->n_sent - h->head.n : 0);
		const struct iovec v[] = {{(void *)(uintptr_t)head.p, head.n},
				{(void *)(uintptr_t)body.p, body.n}};
		ssize_t n = head.n != 0 ? io_write(&h->io, v, body.n != 0 ? 2 : 1)
					: io_write(&h->io, v + 1, 1);

		if (n < 0)
			return (int)n;
		h->n_sent += (size_t)n;
	}
	return 0;
}

/* Retry-After: seconds, or a date (RFC 9110, 10.2.3). */
static uint32_t retry_after(const struct headers *fields)
{
	struct str text = headers_get(fields, STR("Retry-After"));
	int64_t now = (int64_t)time(NULL), then;
	uint64_t seconds = 0;

	if (!str_to_u64(text, &seconds) && http_date_parse(text, &then) && then > now)
		seconds = (uint64_t)(then - now);
	return 1000 * (uint32_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

/* 1 = the response is whole, 0 = more is needed, -EPROTO */
static int take_reply(struct otlp_http *h)
{
	struct str in = buf_str(&h->reply), data;
	enum h1_more more;
	ptrdiff_t end;

	if (!h->has_head) {
		sl_auto(arena) arena = NULL;
		struct headers fields;

		h->scan.is_response = true;
		end = h1_scan(&h->scan, &limits, in.p, in.n);
		if (end <= 0)
			return end == 0 ? 0 : -EPROTO;
		if (arena_new(&arena, 0) != 0)
			return -ENOMEM;
		headers_init(&fields, arena);
		if (h1_parse_response(&h->read, str_head(in, (size_t)end), STR("POST"), &fields) !=
						0 ||
				h->read.status < 200)
			return -EPROTO;
		h->has_head = true;
		h->retry_after_ms = retry_after(&fields);
		h1_body_init(&h->rest, h->read.framing, h->read.length);
		buf_consume(&h->reply, (size_t)end);
		in = buf_str(&h->reply);
	}
	do
		more = h1_body_next(&h->rest, &in, &data);
	while (more == H1_DATA);
	buf_clear(&h->reply);
	if (more == H1_END && in.n != 0)
		h->read.keep_alive = false;
	return more == H1_END ? 1 : more == H1_WANT ? 0 : -EPROTO;
}

/* 0 = it is whole, -EAGAIN, -errno */
static int read_more(struct otlp_http *h)
{
	for (;;) {
		char piece[4096];
		ssize_t n = io_read(&h->io, piece, sizeof(piece));
		int r;

		if (n == 0)
			return h->has_head && h1_body_eof(&h->rest) ? 0 : -ECONNRESET;
		if (n < 0)
			return (int)n;
		buf_add(&h->reply, piece, (size_t)n);
		if (h->reply.is_failed || h->reply.n > REPLY_MAX)
			return -EPROTO;
		r = take_reply(h);
		if (r != 0)
			return r > 0 ? 0 : r;
	}
}

static int check_connected(struct otlp_http *h)
{
	int error = 0, r = 0;
	socklen_t n = sizeof(error);

	if (h->is_up)
		return 0;
	if (!h->io.is_writable && !h->io.is_readable)
		return -EAGAIN;
	if (getsockopt(h->io.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return -errno;
	if (error != 0)
		return -error;
	if (h->tls != NULL)
		r = tls_link_handshake(h->tls);
	h->is_up = r == 0;
	return r;
}

static void begin(struct otlp_http *h);

static void drive(void *arg)
{
	struct otlp_http *h = arg;
	int r;

	if (h->state < CONNECTING) {
		/* closed, or unasked for bytes */
		if (h->is_open && (h->io.is_peer_closed || h->io.is_readable))
			drop_connection(h);
		return;
	}
	r = check_connected(h);
	if (r == 0) {
		h->state = EXCHANGING;
		r = send_more(h);
		if (r == 0 || r == -EAGAIN)
			r = read_more(h);
	}
	if (r == -EAGAIN)
		return;
	if (r != 0 && h->is_reused && !h->has_head) {
		/* the kept connection was gone: once more over a new one */
		drop_connection(h);
		begin(h);
		return;
	}
	finish(h, r != 0 ? r : h->read.status);
}

static int open_socket(struct otlp_http *h, const struct peer *peer)
{
	const int one = 1;
	int fd = socket(peer->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &peer->at.any, peer->len) != 0 && errno != EINPROGRESS) {
		r = -errno;
		close(fd);
		return r;
	}
	r = io_open(&h->io, h->w->base, fd, drive, h);
	h->is_open = r == 0;
	return r;
}

static int connect_to(struct otlp_http *h, struct peer peer)
{
	struct upstream_target target = {.is_tls = h->is_tls, .is_verified = true};
	int r;

	peer_set_port(&peer, h->port);
	r = open_socket(h, &peer);
	if (r != 0 || !h->is_tls)
		return r;
	target.peer = peer;
	target.name = upstream_tls_name(h->host, h->host);
	return tls_link_open(&h->tls, h->w->tls, &h->io, &target);
}

static void on_name(void *arg, const struct dns_answer *answer)
{
	struct otlp_http *h = arg;
	int r = answer->n != 0 ? connect_to(h, answer->peers[0]) : -EHOSTUNREACH;

	h->state = CONNECTING;
	if (r != 0)
		finish(h, r);
}

/* Errors come by the timer: fn is never called from below post(). */
static void begin(struct otlp_http *h)
{
	struct dns_answer answer;

	h->n_sent = 0;
	h->has_head = false;
	h->retry_after_ms = 0;
	h->scan = (struct h1_scan){.is_response = true};
	buf_clear(&h->reply);
	h->is_reused = h->is_open && h->is_up;
	h->state = CONNECTING;
	if (h->is_reused)
		return;
	h->wait = (struct dns_wait){.fn = on_name, .arg = h};
	if (!dns_find(h->w->dns, h->host, &answer, &h->wait)) {
		h->state = RESOLVING;
		return;
	}
	if (answer.n == 0 || connect_to(h, answer.peers[0]) != 0) {
		drop_connection(h);
		timer_set(&h->w->timers, &h->timer, TIMER_TICK_MS);
	}
}

static void on_timeout(void *arg)
{
	struct otlp_http *h = arg;

	finish(h, h->is_open ? -ETIMEDOUT : -EHOSTUNREACH);
}

void otlp_http_post(struct otlp_http *h, struct str path, struct str body)
{
	int r;

	buf_clear(&h->head);
	buf_printf(&h->head, "POST %.*s%.*s HTTP/1.1\r\n", STR_ARG(h->path), STR_ARG(path));
	buf_add_str(&h->head, buf_str(&h->fields));
	buf_printf(&h->head, "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
			body.n);
	h->body = body;
	timer_set(&h->w->timers, &h->timer, h->w->conf->tracing_otlp_timeout_ms);
	begin(h);
	if (!h->is_reused)
		return;
	r = send_more(h);
	if (r == 0 || r == -EAGAIN)
		return; /* the socket's next event goes on with it */
	drop_connection(h);
	begin(h);
}

/* The rule of the key has checked its form. */
static void read_endpoint(struct otlp_http *h)
{
	struct str rest = str_of(h->w->conf->tracing_otlp_endpoint), port;
	ptrdiff_t slash, colon;
	uint64_t number;

	h->is_tls = str_starts(rest, STR("https://"));
	rest = str_from(rest, h->is_tls ? 8 : 7);
	slash = str_find_char(rest, '/');
	h->path = slash < 0 ? STR_NONE : str_from(rest, (size_t)slash);
	while (h->path.n != 0 && h->path.p[h->path.n - 1] == '/')
		h->path.n--;
	if (str_ends(h->path, STR("/v1/traces")))
		h->path.n -= 10;
	rest = str_head(rest, slash < 0 ? rest.n : (size_t)slash);
	buf_printf(&h->fields, "Host: %.*s\r\n", STR_ARG(rest));
	colon = rest.n != 0 && rest.p[0] == '[' ? str_find(rest, STR("]:"))
						: str_find_char(rest, ':');
	if (colon >= 0 && rest.p[0] == '[')
		colon++;
	h->port = h->is_tls ? 443 : 80;
	port = colon < 0 ? STR_NONE : str_from(rest, (size_t)colon + 1);
	if (str_to_u64(port, &number))
		h->port = (uint16_t)number;
	h->host = colon < 0 ? rest : str_head(rest, (size_t)colon);
}

static int read_headers(struct otlp_http *h, struct why *why)
{
	const char *at = h->w->conf->tracing_otlp_headers;
	struct str one;

	while (conf_list_next(&at, &one)) {
		ptrdiff_t eq = str_find_char(one, '=');
		struct str name = str_head(one, eq < 0 ? 0 : (size_t)eq);
		struct str value = str_from(one, eq < 0 ? 0 : (size_t)eq + 1);

		if (!headers_name_is_valid(name) || !h1_field_is_clean(name, value)) {
			why_set(why, NULL, 0, "tracing_otlp_headers: \"%.*s\" is no header",
					STR_ARG(name));
			return -EINVAL;
		}
		buf_printf(&h->fields, "%.*s: %.*s\r\n", STR_ARG(name), STR_ARG(value));
	}
	return h->fields.is_failed ? -ENOMEM : 0;
}

int otlp_http_new(struct otlp_http **ret, struct worker *w, otlp_http_fn *fn, void *arg,
		struct why *why)
{
	sl_auto(otlp_http) h = calloc(1, sizeof(*h));
	int r;

	if (h == NULL)
		return -ENOMEM;
	h->w = w;
	h->fn = fn;
	h->arg = arg;
	timer_init(&h->timer, on_timeout, h);
	read_endpoint(h);
	r = read_headers(h, why);
	if (r != 0)
		return r;
	*ret = sl_steal(h);
	return 0;
}

void otlp_http_free(struct otlp_http *h)
{
	if (h == NULL)
		return;
	timer_clear(&h->timer);
	dns_cancel(&h->wait);
	drop_connection(h);
	buf_done(&h->fields);
	buf_done(&h->head);
	buf_done(&h->reply);
	free(h);
}
