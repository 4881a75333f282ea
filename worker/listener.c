/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/listener.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/ipc.h"
#include "worker/conn.h"
#include "worker/worker.h"

#define ACCEPT_TURN 64
#define EMPTY_TURNS 64 /* a full backlog */

struct listener {
	struct worker *w;
	struct event event;
	int fd;
	uint16_t port;
	bool is_tls;
};

/* Given up for a moment when descriptors run out, so that a client gets its 503. */
static int spare_fd = -1;

static void shed(struct worker *w, int fd, bool is_tls)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
				   "Content-Type: application/json; charset=utf-8\r\n"
				   "Content-Length: 52\r\nConnection: close\r\n\r\n"
				   "{\"message\":\"The server has no connection to spare\"}\n";
	const struct linger off = {0};
	char sink[2048];

	stat_add(&w->stat->requests_shed, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	if (!is_tls && send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) >= 0) {
		shutdown(fd, SHUT_WR);
		/* what came already is read, so that close() does not reset the answer away */
		while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) == (ssize_t)sizeof(sink))
			;
	}
	close(fd);
}

enum outcome { TOOK_ONE, IS_EMPTY, CANNOT };

/* Out of descriptors: take one connection with the spare one, answer, close. */
static enum outcome shed_with_spare(struct listener *l)
{
	int fd;

	if (spare_fd < 0)
		return CANNOT;
	close(spare_fd);
	spare_fd = -1;
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		shed(l->w, fd, l->is_tls);
	spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd >= 0 ? TOOK_ONE : CANNOT;
}

static enum outcome refused(struct listener *l, int err)
{
	if (err == EMFILE || err == ENFILE)
		return shed_with_spare(l);
	if (err == EAGAIN)
		return IS_EMPTY;
	return err == ECONNABORTED || err == EINTR ? TOOK_ONE : CANNOT;
}

/* One that the kernel's hash sent here was never assigned: it must not hide one that was. */
static void count_seen(struct board_slot *me)
{
	uint64_t seen = atomic_load_explicit(&me->seen, memory_order_relaxed) + 1;

	if ((int64_t)(atomic_load_explicit(&me->assigned, memory_order_relaxed) - seen) >= 0)
		atomic_store_explicit(&me->seen, seen, memory_order_relaxed);
}

static enum outcome accept_one(struct listener *l)
{
	struct worker *w = l->w;
	struct sockaddr_storage address = {0};
	socklen_t n = sizeof(address);
	int fd = accept4(l->fd, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return refused(l, errno);
	stat_add(&w->stat->connections_accepted, 1);
	stat_add(&w->me->accepted, 1);
	count_seen(w->me);
	if (w->n_conns >= w->conf->connections_max)
		shed(w, fd, l->is_tls);
	else
		conn_accepted(w, fd, &address, l->port, l->is_tls);
	board_slot_settle(w->me);
	return TOOK_ONE;
}

static enum outcome accept_turn(struct listener *l)
{
	enum outcome outcome = TOOK_ONE;

	for (int i = 0; i < ACCEPT_TURN && outcome == TOOK_ONE; i++)
		outcome = accept_one(l);
	return outcome;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	accept_turn(arg);
}

/* What was assigned that long ago has come to the queue by now, or never will: a handshake was
 * given up, a SYN was answered with a cookie. */
void listeners_settle(struct worker *w)
{
	uint64_t ripe = w->assigned_before;

	w->assigned_before = atomic_load_explicit(&w->me->assigned, memory_order_relaxed);
	if ((int64_t)(ripe - atomic_load_explicit(&w->me->seen, memory_order_relaxed)) <= 0)
		return;
	for (unsigned i = 0; i < w->n_listeners; i++) {
		if (accept_turn(&w->listeners[i]) != IS_EMPTY)
			return;
	}
	if ((int64_t)(ripe - atomic_load_explicit(&w->me->seen, memory_order_relaxed)) > 0)
		stat_set(&w->me->seen, ripe);
	board_slot_settle(w->me);
}

static int listener_open(struct listener *l, struct worker *w, int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t n = sizeof(at);
	struct peer peer = {.len = 0};

	l->w = w;
	l->fd = fd;
	if (getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return -errno;
	memcpy(&peer.at, &at, sizeof(peer.at));
	l->port = peer_port(&peer);
	if (evutil_make_socket_nonblocking(fd) != 0)
		return -errno;
	if (event_assign(&l->event, w->base, fd, EV_READ | EV_PERSIST, on_acceptable, l) != 0 ||
			event_add(&l->event, NULL) != 0)
		return -ENOMEM;
	return 0;
}

int listeners_open(struct worker *w, unsigned n, struct why *why)
{
	const char *at = w->conf->proxy_listen;
	struct conf_address address;
	struct str one;

	spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	w->listeners = calloc(n + 1, sizeof(*w->listeners));
	if (w->listeners == NULL)
		return why_errno(why, ENOMEM, "listeners");
	for (; w->n_listeners < n; w->n_listeners++) {
		int fd = IPC_FD_LISTENERS + (int)w->n_listeners;
		int r = listener_open(&w->listeners[w->n_listeners], w, fd);

		if (r != 0)
			return why_errno(why, -r, "listener %u", w->n_listeners);
		if (conf_list_next(&at, &one) && conf_parse_address(one, &address, why) == 0)
			w->listeners[w->n_listeners].is_tls = address.is_tls;
	}
	return 0;
}

void listeners_empty(struct worker *w)
{
	for (unsigned i = 0; i < w->n_listeners; i++) {
		for (int turn = 0; turn < EMPTY_TURNS; turn++) {
			if (accept_turn(&w->listeners[i]) != TOOK_ONE)
				break;
		}
	}
}

void listeners_stop(struct worker *w)
{
	for (unsigned i = 0; i < w->n_listeners; i++) {
		event_del(&w->listeners[i].event);
		/* while a copy is open anywhere, the master cannot give its queue to others */
		close(w->listeners[i].fd);
	}
	w->n_listeners = 0;
}

void listeners_free(struct worker *w)
{
	listeners_stop(w);
	free(w->listeners);
	w->listeners = NULL;
}
