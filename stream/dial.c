/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/dial.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/check.h"
#include "stream/address.h"

#define DIAL_MAGIC SL_MAGIC('D', 'I', 'A', 'L')
#define CONNECT_TIMEOUT_S 5

struct dial {
	uint32_t magic;
	struct event_base *base;
	struct address address;
	struct sockaddr_un local;
	struct addrinfo local_info;
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *request;
	struct evutil_addrinfo *found; /* of the resolver */
	const struct addrinfo *next;   /* to try */
	struct event *begin, *connected;
	int fd;
	int last_error;
	dial_done_fn *done;
	void *arg;
};

static void dial_finish(struct dial *d)
{
	struct why why = WHY_NONE;
	int fd = sl_steal_fd(&d->fd);

	if (fd < 0)
		why_set(&why, NULL, 0, "cannot connect to %s%s%s%s: %s",
				d->address.is_unix ? "unix:" : "", d->address.host,
				d->address.is_unix ? "" : ":", d->address.port,
				strerror(d->last_error));
	d->done(d->arg, fd, &why);
}

static int socket_connect(struct dial *d, const struct addrinfo *to)
{
	sl_auto_fd int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS)
		return -errno;
	d->fd = sl_steal_fd(&fd);
	return 0;
}

static void on_connected(evutil_socket_t fd, short what, void *arg);

static void dial_next(struct dial *d)
{
	struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};

	while (d->next != NULL) {
		int r = socket_connect(d, d->next);

		d->next = d->next->ai_next;
		if (r != 0) {
			d->last_error = -r;
			continue;
		}
		d->connected = event_new(d->base, d->fd, EV_WRITE, on_connected, d);
		if (d->connected != NULL && event_add(d->connected, &timeout) == 0)
			return;
		d->last_error = ENOMEM;
		sl_close_fd(&d->fd);
		d->fd = -1;
	}
	dial_finish(d);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;
	int err = ETIMEDOUT;
	socklen_t n = sizeof(err);

	sl_check(d, DIAL_MAGIC);
	event_free(d->connected);
	d->connected = NULL;
	if ((what & EV_WRITE) != 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	if (err == 0) {
		dial_finish(d);
		return;
	}
	d->last_error = err;
	sl_close_fd(&d->fd);
	d->fd = -1;
	dial_next(d);
}

static void on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
	struct dial *d = arg;
	struct why why = WHY_NONE;

	if (result == EVUTIL_EAI_CANCEL)
		return;
	sl_check(d, DIAL_MAGIC);
	d->request = NULL;
	d->found = found;
	d->next = found;
	if (result == 0) {
		dial_next(d);
		return;
	}
	why_set(&why, NULL, 0, "cannot resolve %s: %s", d->address.host,
			evutil_gai_strerror(result));
	d->done(d->arg, -1, &why);
}

/* A fresh resolver for each dial: resolv.conf may have changed since the last. */
static void dial_resolve(struct dial *d)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
			.ai_socktype = SOCK_STREAM,
			.ai_protocol = IPPROTO_TCP};
	struct evdns_getaddrinfo_request *request;

	d->dns = evdns_base_new(d->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (d->dns == NULL) {
		on_resolved(EVUTIL_EAI_MEMORY, NULL, d);
		return;
	}
	/* Without the file, names of /etc/hosts and addresses still work. */
	evdns_base_resolv_conf_parse(d->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	request = evdns_getaddrinfo(
			d->dns, d->address.host, d->address.port, &hints, on_resolved, d);
	/* NULL: answered already, and d may be gone. */
	if (request != NULL)
		d->request = request;
}

static void on_begin(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;

	(void)fd;
	(void)what;
	sl_check(d, DIAL_MAGIC);
	if (d->address.is_unix)
		dial_next(d);
	else
		dial_resolve(d);
}

static void local_set(struct dial *d)
{
	d->local.sun_family = AF_UNIX;
	memcpy(d->local.sun_path, d->address.host, strlen(d->address.host) + 1);
	d->local_info = (struct addrinfo){.ai_family = AF_UNIX,
			.ai_addr = (struct sockaddr *)&d->local,
			.ai_addrlen = sizeof(d->local)};
	d->next = &d->local_info;
}

int dial_start(struct dial **ret, struct event_base *base, const char *address, dial_done_fn *done,
		void *arg, struct why *why)
{
	struct address parsed;
	int r = address_parse(&parsed, str_of(address), why);
	sl_auto(dial) d = r == 0 ? calloc(1, sizeof(*d)) : NULL;

	if (r != 0)
		return r;
	if (d == NULL)
		return -ENOMEM;
	*d = (struct dial){.magic = DIAL_MAGIC, .base = base, .fd = -1, .done = done, .arg = arg};
	d->address = parsed;
	if (parsed.is_unix)
		local_set(d);
	d->begin = event_new(base, -1, 0, on_begin, d);
	if (d->begin == NULL)
		return -ENOMEM;
	event_active(d->begin, 0, 0);
	*ret = sl_steal(d);
	return 0;
}

static void on_dns_idle(evutil_socket_t fd, short what, void *dns)
{
	(void)fd;
	(void)what;
	evdns_base_free(dns, 0);
}

/* A cancelled request still reports to its resolver once, from the event loop, and we may be
 * inside one of the resolver's callbacks: it goes after that. */
static void dns_drop(struct dial *d)
{
	struct timeval now = {.tv_sec = 0};

	if (d->request != NULL)
		evdns_getaddrinfo_cancel(d->request);
	event_base_once(d->base, -1, EV_TIMEOUT, on_dns_idle, d->dns, &now);
}

void dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	sl_check(d, DIAL_MAGIC);
	if (d->connected != NULL)
		event_free(d->connected);
	if (d->begin != NULL)
		event_free(d->begin);
	if (d->found != NULL)
		evutil_freeaddrinfo(d->found);
	if (d->dns != NULL)
		dns_drop(d);
	sl_close_fd(&d->fd);
	d->magic = 0;
	free(d);
}
