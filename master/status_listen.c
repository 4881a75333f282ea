/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "master/handover.h"
#include "shm/conf.h"

static bool is_at(int fd, const struct conf_address *a)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = {.any.sa_family = AF_UNSPEC};
	socklen_t n = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(fd, &sa.any, &n) < 0)
		return false;
	if (sa.any.sa_family == AF_INET && !a->is_v6)
		return sa.v4.sin_port == htons(a->port) &&
		       inet_ntop(AF_INET, &sa.v4.sin_addr, host, sizeof(host)) != NULL &&
		       strcmp(host, a->host) == 0;
	return sa.any.sa_family == AF_INET6 && a->is_v6 && sa.v6.sin6_port == htons(a->port) &&
	       inet_ntop(AF_INET6, &sa.v6.sin6_addr, host, sizeof(host)) != NULL &&
	       strcmp(host, a->host) == 0;
}

static struct evhttp_bound_socket *adopt(
		struct evhttp *http, const struct conf_address *a, const struct handover *before)
{
	struct evhttp_bound_socket *bound;
	int fd;

	for (size_t i = 0; before != NULL && i < before->n_status; i++) {
		if (!is_at(before->status[i], a))
			continue;
		fd = handover_take(before->status[i]);
		bound = fd >= 0 ? evhttp_accept_socket_with_handle(http, fd) : NULL;
		if (bound == NULL && fd >= 0)
			close(fd);
		return bound;
	}
	return NULL;
}

static int refuse(struct str item, int err, struct why *why)
{
	why_set(why, "status_listen", 0, "cannot listen on %.*s: %s%s", STR_ARG(item),
			strerror(err), err == EADDRINUSE ? ": is another gateway running?" : "");
	return -err;
}

int status_listen_open(struct evhttp *http, const char *list, const struct handover *before,
		struct status_sockets *ret, struct why *why)
{
	struct evhttp_bound_socket *bound;
	struct conf_address a;
	struct str item;
	int r;

	ret->n = 0;
	while (conf_list_next(&list, &item)) {
		r = conf_parse_address(item, &a, why);
		if (r < 0)
			return r;
		bound = adopt(http, &a, before);
		if (bound == NULL)
			bound = evhttp_bind_socket_with_handle(http, a.host, a.port);
		if (bound == NULL)
			return refuse(item, errno != 0 ? errno : EADDRINUSE, why);
		if (ret->n < STATUS_SOCKETS_MAX)
			ret->fds[ret->n++] = evhttp_bound_socket_get_fd(bound);
	}
	return 0;
}

static int open_unix(const char *path, struct why *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	sl_auto_fd int fd = -1;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		why_set(why, "prefix", 0, "%s is too long for a socket (%zu bytes at most)", path,
				sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return why_errno(why, errno, "%s", path);
	/* the prefix is locked: what is there is left from a sluiced that is gone */
	unlink(path);
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
			chmod(path, 0600) < 0 || listen(fd, 64) < 0)
		return why_errno(why, errno, "%s", path);
	return sl_steal_fd(&fd);
}

int status_listen_operators(struct evhttp *http, const char *path, const struct handover *before,
		struct status_sockets *ret, struct why *why)
{
	int fd = before != NULL ? handover_take(before->operators_fd) : open_unix(path, why);

	if (fd < 0)
		return before != NULL ? why_errno(why, -fd, "%s", path) : fd;
	if (evhttp_accept_socket(http, fd) < 0) {
		close(fd);
		return why_errno(why, ENOMEM, "sluiced.sock");
	}
	ret->operators = fd;
	return 0;
}
