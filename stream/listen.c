/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "stream/address.h"

#define BACKLOG 512

static int unix_is_free(const struct sockaddr_un *at, struct why *why)
{
	struct stat st;
	sl_auto_fd int fd = -1;

	if (lstat(at->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : why_errno(why, errno, "%s", at->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, at->sun_path, 0, "is in the way: it is not a socket");
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return why_errno(why, errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN) {
		why_set(why, at->sun_path, 0, "another process listens here");
		return -EADDRINUSE;
	}
	if (unlink(at->sun_path) != 0 && errno != ENOENT)
		return why_errno(why, errno, "cannot remove the stale socket %s", at->sun_path);
	return 0;
}

static int unix_bind(int *ret_fd, const struct address *a, struct why *why)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	sl_auto_fd int fd = -1;
	mode_t mask;
	int r;

	memcpy(at.sun_path, a->host, strlen(a->host) + 1);
	r = unix_is_free(&at, why);
	if (r != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return why_errno(why, errno, "cannot make a socket");
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (r != 0)
		return why_errno(why, errno, "cannot bind %s", at.sun_path);
	*ret_fd = sl_steal_fd(&fd);
	return 0;
}

static int tcp_bind_one(int *ret_fd, const struct addrinfo *to)
{
	sl_auto_fd int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (to->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, to->ai_addr, to->ai_addrlen) != 0)
		return -errno;
	*ret_fd = sl_steal_fd(&fd);
	return 0;
}

static int tcp_bind(int *ret_fd, const struct address *a, struct why *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	int r = getaddrinfo(a->host, a->port, &hints, &found);

	if (r != 0) {
		why_set(why, NULL, 0, "cannot listen on %s:%s: %s", a->host, a->port,
				gai_strerror(r));
		return -EINVAL;
	}
	r = tcp_bind_one(ret_fd, found);
	freeaddrinfo(found);
	return r == 0 ? 0 : why_errno(why, -r, "cannot listen on %s:%s", a->host, a->port);
}

int listen_open(struct evconnlistener **ret, struct event_base *base, const char *address,
		evconnlistener_cb accept, void *arg, struct why *why)
{
	sl_auto_fd int fd = -1;
	struct address a;
	int r = address_parse(&a, str_of(address), why);

	if (r == 0)
		r = a.is_unix ? unix_bind(&fd, &a, why) : tcp_bind(&fd, &a, why);
	if (r != 0)
		return r;
	if (listen(fd, BACKLOG) != 0)
		return why_errno(why, errno, "cannot listen on %s", address);
	*ret = evconnlistener_new(
			base, accept, arg, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (*ret == NULL)
		return why_errno(why, ENOMEM, "cannot listen on %s", address);
	fd = -1;
	return 0;
}
