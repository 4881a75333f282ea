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
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	int fd;
	struct side *other;
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

static void relay(struct side *s)
{
	char bytes[65536];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));

	if (n > 0 && write(s->other->fd, bytes, (size_t)n) == n)
		return;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		shutdown(s->other->fd, SHUT_RDWR);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	int epoll = epoll_create1(0), listener;

	if (argc != 3)
		return 2;
	listener = listen_on(atoi(argv[1]));
	watch(epoll, listener, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			int client;

			if (events[i].data.ptr != NULL)
				relay(events[i].data.ptr);
			else
				while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					pair_up(epoll, client, atoi(argv[2]));
		}
	}
}
