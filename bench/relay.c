/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: a relay that knows no HTTP.  One connection to the origin per client
 * connection, one epoll loop, one buffer; what comes in on one side goes out on the other.
 * Nothing that proxies a request in user space on this machine can cost less.
 *
 *	relay LISTEN_PORT ORIGIN_PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	int fd;
	struct side *other;
	struct side *next_gone;
};

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
			.sin_port = htons((uint16_t)port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(int port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0)
		die("listen");
	return fd;
}

static void watch(int epoll, int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = what};
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

static void pair_up(int epoll, int client, int origin_port)
{
	struct sockaddr_in at = loopback(origin_port);
	struct side *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	if (a == NULL || b == NULL)
		die("calloc");
	*a = (struct side){.fd = client, .other = b};
	*b = (struct side){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .other = a};
	if (connect(b->fd, (struct sockaddr *)&at, sizeof(at)) != 0 && errno != EINPROGRESS)
		die("connect");
	watch(epoll, a->fd, a);
	watch(epoll, b->fd, b);
}

/* Closing takes it out of the epoll set.  Events already fetched may name either side, so the
 * memory goes when the batch is through. */
static void part(struct side *s, struct side **gone)
{
	close(s->fd);
	close(s->other->fd);
	s->fd = s->other->fd = -1;
	s->next_gone = *gone;
	*gone = s;
}

static void bury(struct side **gone)
{
	struct side *s;

	while ((s = *gone) != NULL) {
		*gone = s->next_gone;
		free(s->other);
		free(s);
	}
}

static void relay(struct side *s, struct side **gone)
{
	char bytes[65536];
	ssize_t n;

	if (s->fd < 0)
		return;
	while ((n = read(s->fd, bytes, sizeof(bytes))) > 0) {
		if (write(s->other->fd, bytes, (size_t)n) != n) {
			part(s, gone);
			return;
		}
		if ((size_t)n < sizeof(bytes))
			return; /* edge-triggered: what comes now is a new event */
	}
	if (n == 0 || errno != EAGAIN)
		part(s, gone);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct side *gone = NULL;
	int epoll = epoll_create1(0), listener;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(atoi(argv[1]));
	watch(epoll, listener, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			int client;

			if (events[i].data.ptr != NULL)
				relay(events[i].data.ptr, &gone);
			else
				while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					pair_up(epoll, client, atoi(argv[2]));
		}
		bury(&gone);
	}
}
