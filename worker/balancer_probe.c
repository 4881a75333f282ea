/* SPDX-License-Identifier: Apache-2.0
 *
 * Active health checks: a connection, and for http and https a GET whose status counts.  Every
 * worker that uses an upstream probes its targets for itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "worker/balancer.h"

#define STATUS_LINE_BYTES 12 /* "HTTP/1.1 200" */

static const Sluice__Record__HealthCheck *check_of(const struct backend *e)
{
	return e->balancer != NULL && e->balancer->rec != NULL ? e->balancer->rec->active : NULL;
}

/* 0 = not in this state. */
static uint32_t interval_ms(const struct backend *e)
{
	const Sluice__Record__HealthCheck *check = check_of(e);
	const Sluice__Record__HealthSide *side = check == NULL     ? NULL
						 : e->is_unhealthy ? check->unhealthy
								   : check->healthy;

	return side != NULL ? side->interval_ms : 0;
}

static void set_next(struct backend *e)
{
	uint32_t in_ms = interval_ms(e);

	timer_clear(&e->probe.timer);
	if (in_ms != 0)
		timer_set(e->balancer->all->timers, &e->probe.timer, in_ms);
}

static void probe_close(struct probe *p)
{
	if (p->link != NULL)
		tls_link_close(p->link);
	p->link = NULL;
	io_close(&p->io);
	p->is_running = false;
}

static void probe_over(struct backend *e, enum balance_outcome outcome, int status)
{
	probe_close(&e->probe);
	(void)backend_judge(e, check_of(e), outcome, status);
	set_next(e);
}

/* 0 = connected, -EAGAIN, -errno */
static int check_connected(const struct probe *p)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (!p->io.is_writable && !p->io.is_readable)
		return -EAGAIN;
	if (getsockopt(p->io.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return -errno;
	if (error != 0)
		return -error;
	return p->io.is_writable ? 0 : -EAGAIN;
}

static void add_fields(struct buf *text, const Sluice__Record__HealthCheck *check)
{
	for (size_t i = 0; i < check->n_headers; i++)
		for (size_t k = 0; k < check->headers[i]->n_values; k++)
			buf_printf(text, "%s: %s\r\n", check->headers[i]->name,
					check->headers[i]->values[k]);
}

/* The request is small: what the socket does not take at once comes with the next edge. */
static int send_request(struct backend *e, const Sluice__Record__HealthCheck *check)
{
	struct probe *p = &e->probe;
	const char *host = e->balancer->rec->host_header;
	sl_auto_buf text = {0};
	struct iovec rest;
	ssize_t n;

	buf_printf(&text, "GET %s HTTP/1.1\r\nHost: ", check->http_path);
	if (host[0] != '\0')
		buf_printf(&text, "%s", host);
	else
		buf_printf(&text, strchr(e->host, ':') != NULL ? "[%s]:%u" : "%s:%u", e->host,
				e->port);
	buf_printf(&text, "\r\nConnection: close\r\n");
	add_fields(&text, check);
	buf_printf(&text, "\r\n");
	if (text.is_failed)
		return -ENOMEM;
	while (p->sent < text.n) {
		rest = (struct iovec){text.p + p->sent, text.n - p->sent};
		n = io_write(&p->io, &rest, 1);
		if (n < 0)
			return (int)n;
		p->sent += (size_t)n;
	}
	return 0;
}

/* The status, -EAGAIN, -errno (-EPROTO: no HTTP). */
static int read_status(struct probe *p)
{
	uint64_t status;
	ssize_t n;

	while (p->got < STATUS_LINE_BYTES) {
		n = io_read(&p->io, p->answer + p->got, STATUS_LINE_BYTES - p->got);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EPROTO;
		p->got += (size_t)n;
	}
	if (memcmp(p->answer, "HTTP/1.", 7) != 0 || p->answer[8] != ' ' ||
			!str_to_u64((struct str){p->answer + 9, 3}, &status))
		return -EPROTO;
	return (int)status;
}

static void on_ready(void *arg)
{
	struct backend *e = arg;
	const Sluice__Record__HealthCheck *check = check_of(e);
	int r = check_connected(&e->probe);

	if (r == 0 && e->probe.link != NULL)
		r = tls_link_handshake(e->probe.link);
	if (r == 0 && check != NULL && strncmp(check->type, "http", 4) == 0) {
		r = send_request(e, check);
		if (r == 0)
			r = read_status(&e->probe);
	}
	if (r >= 0)
		probe_over(e, BALANCE_ANSWERED, r);
	else if (r != -EAGAIN)
		probe_over(e, BALANCE_TCP_FAILED, 0);
}

/* False: no memory. */
static bool add_tls(struct backend *e, const Sluice__Record__HealthCheck *check)
{
	struct upstream_target target = {.peer = e->peer,
			.is_tls = true,
			.is_verified = check->https_verify_certificate,
			.name = upstream_tls_name(str_of(check->https_sni), str_of(e->host))};

	return strcmp(check->type, "https") != 0 ||
	       tls_link_open(&e->probe.link, e->balancer->all->tls, &e->probe.io, &target) == 0;
}

static void probe_start(struct backend *e, const Sluice__Record__HealthCheck *check)
{
	struct probe *p = &e->probe;
	struct balancers *all = e->balancer->all;
	int fd = peer_connect(&e->peer);

	p->sent = p->got = 0;
	if (fd < 0 || io_open(&p->io, all->base, fd, on_ready, e) != 0) {
		p->io.fd = -1;
		(void)backend_judge(e, check, BALANCE_TCP_FAILED, 0);
		set_next(e);
		return;
	}
	p->is_running = true;
	timer_set(all->timers, &p->timer, check->timeout_ms);
	if (!add_tls(e, check))
		probe_over(e, BALANCE_TCP_FAILED, 0);
}

static void on_timer(void *arg)
{
	struct backend *e = arg;
	const Sluice__Record__HealthCheck *check = check_of(e);

	if (check == NULL || e->balancer->all == NULL)
		return;
	if (e->probe.is_running)
		probe_over(e, BALANCE_TIMED_OUT, 0);
	else
		probe_start(e, check);
}

void backend_probe_start(struct backend *e)
{
	struct probe *p = &e->probe;

	if (p->is_running || e->balancer == NULL || e->balancer->all == NULL)
		return;
	if (p->timer.fn == NULL)
		timer_init(&p->timer, on_timer, e);
	set_next(e);
}

void backend_probe_stop(struct backend *e)
{
	struct probe *p = &e->probe;

	timer_clear(&p->timer);
	if (p->is_running)
		probe_close(p);
}
