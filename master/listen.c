/* SPDX-License-Identifier: Apache-2.0 */
#include "master/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/fdstore.h"
#include "master/handover.h"
#include "shm/conf.h"

/* The workers of a master that was killed hold their listeners until they are dead, too. */
#define RELEASE_MS 1000
#define RELEASE_POLL_US 5000

#define LISTENERS_MAGIC SL_MAGIC('L', 'S', 'T', 'N')

struct endpoint {
	struct conf_address conf;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
	socklen_t n;
};

struct listeners {
	uint32_t magic;
	uint32_t n_workers;
	unsigned n_addresses;
	struct endpoint endpoints[LISTEN_ADDRESSES_MAX];
	int *fds; /* [worker * n_addresses + address] */
};

static int endpoint_fill(struct endpoint *ret, const struct conf_address *a, struct why *why)
{
	*ret = (struct endpoint){.conf = *a};
	if (a->is_v6) {
		ret->n = sizeof(ret->sa.v6);
		ret->sa.v6.sin6_family = AF_INET6;
		ret->sa.v6.sin6_port = htons(a->port);
		if (inet_pton(AF_INET6, a->host, &ret->sa.v6.sin6_addr) == 1)
			return 0;
	} else {
		ret->n = sizeof(ret->sa.v4);
		ret->sa.v4.sin_family = AF_INET;
		ret->sa.v4.sin_port = htons(a->port);
		if (inet_pton(AF_INET, a->host, &ret->sa.v4.sin_addr) == 1)
			return 0;
	}
	why_set(why, "proxy_listen", 0, "%s is not a numeric address", a->host);
	return -EINVAL;
}

static int refuse_endpoint(const struct endpoint *e, int err, struct why *why)
{
	const char *hint = "";

	if (err == EADDRINUSE)
		hint = ": is another gateway running?";
	else if (err == EACCES)
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
	else if (err == EADDRNOTAVAIL)
		hint = ": this machine has no such address";
	why_set(why, "proxy_listen", 0,
			e->conf.is_v6 ? "cannot listen on [%s]:%u: %s%s"
				      : "cannot listen on %s:%u: %s%s",
			e->conf.host, e->conf.port, strerror(err), hint);
	return -err;
}

static int set_option_to(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_option(int fd, int level, int name)
{
	return set_option_to(fd, level, name, 1);
}

static int endpoint_bind(int *ret, const struct endpoint *e, bool is_shared, struct why *why)
{
	sl_auto_fd int fd =
			socket(e->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refuse_endpoint(e, errno, why);
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
			(is_shared && set_option(fd, SOL_SOCKET, SO_REUSEPORT) < 0) ||
			(e->conf.is_v6 && set_option_to(fd, IPPROTO_IPV6, IPV6_V6ONLY,
							  !e->conf.is_dual) < 0))
		return refuse_endpoint(e, errno, why);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY); /* inherited by what it accepts */
	if (bind(fd, &e->sa.any, e->n) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return refuse_endpoint(e, errno, why);
	*ret = sl_steal_fd(&fd);
	return 0;
}

/* SO_REUSEPORT would quietly share the port with another gateway of the same user: without it
 * the kernel tells us. */
static int endpoint_probe(const struct endpoint *e, struct why *why)
{
	uint64_t give_up_ms = clock_mono_ms() + RELEASE_MS;
	int fd = -1, r;

	if (e->conf.port == 0)
		return 0;
	for (;;) {
		r = endpoint_bind(&fd, e, false, why);
		sl_close_fd(&fd);
		if (r != -EADDRINUSE || clock_mono_ms() >= give_up_ms)
			return r;
		usleep(RELEASE_POLL_US);
		fd = -1;
	}
}

static int endpoint_learn_port(struct endpoint *e, int fd, struct why *why)
{
	socklen_t n = e->n;

	if (getsockname(fd, &e->sa.any, &n) < 0)
		return refuse_endpoint(e, errno, why);
	e->conf.port = ntohs(e->conf.is_v6 ? e->sa.v6.sin6_port : e->sa.v4.sin_port);
	return 0;
}

static bool is_dual(int fd)
{
	int is_only = 1;
	socklen_t size = sizeof(is_only);

	return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_only, &size) == 0 && !is_only;
}

/* Listening there; port 0 of the list is any port. */
static bool is_at(int fd, const struct endpoint *e)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = {.any.sa_family = AF_UNSPEC};
	socklen_t n = sizeof(sa), size = sizeof(int);
	int is_listening = 0;

	if (getsockname(fd, &sa.any, &n) < 0 || sa.any.sa_family != e->sa.any.sa_family ||
			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0 ||
			!is_listening)
		return false;
	if (e->conf.is_v6)
		return is_dual(fd) == e->conf.is_dual &&
		       memcmp(&sa.v6.sin6_addr, &e->sa.v6.sin6_addr, sizeof(sa.v6.sin6_addr)) ==
				       0 &&
		       (e->conf.port == 0 || sa.v6.sin6_port == htons(e->conf.port));
	return sa.v4.sin_addr.s_addr == e->sa.v4.sin_addr.s_addr &&
	       (e->conf.port == 0 || sa.v4.sin_port == htons(e->conf.port));
}

static int *fd_of(const struct listeners *l, uint32_t worker, unsigned i)
{
	return &l->fds[worker * l->n_addresses + i];
}

/* fdstore_wanted_fn */
static bool is_kept_here(const void *arg, int fd)
{
	int is_shared = 0;
	socklen_t size = sizeof(is_shared);

	return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_shared, &size) == 0 && is_shared &&
	       is_at(fd, arg);
}

static void restore_address(struct listeners *l, unsigned i, struct fdstore *kept)
{
	char name[FDSTORE_NAME_MAX];
	int fd;

	for (uint32_t w = 0; w < l->n_workers; w++) {
		fd = fdstore_take(kept, FDSTORE_LISTENER, is_kept_here, &l->endpoints[i], name);
		if (fd < 0)
			return;
		fdstore_rename_listener(fd, w, name);
		*fd_of(l, w, i) = fd;
	}
}

/* A listener for each worker that has none yet. */
static int open_address(struct listeners *l, unsigned i, struct why *why)
{
	struct endpoint *e = &l->endpoints[i];
	int r = 0;

	if (l->n_workers > 0)
		r = *fd_of(l, 0, i) < 0 ? endpoint_probe(e, why)
					: endpoint_learn_port(e, *fd_of(l, 0, i), why);
	for (uint32_t w = 0; r == 0 && w < l->n_workers; w++) {
		if (*fd_of(l, w, i) >= 0)
			continue;
		r = endpoint_bind(fd_of(l, w, i), e, true, why);
		if (r == 0 && w == 0)
			r = endpoint_learn_port(e, *fd_of(l, w, i), why);
		if (r == 0)
			fdstore_keep_listener(*fd_of(l, w, i), w);
	}
	return r;
}

static int parse_list(const char *list, struct endpoint *ret, unsigned *ret_n, struct why *why)
{
	struct conf_address a;
	struct str item;
	int r;

	*ret_n = 0;
	while (conf_list_next(&list, &item)) {
		if (*ret_n == LISTEN_ADDRESSES_MAX) {
			why_set(why, "proxy_listen", 0, "more than %d addresses",
					LISTEN_ADDRESSES_MAX);
			return -EINVAL;
		}
		r = conf_parse_address(item, &a, why);
		if (r == 0)
			r = endpoint_fill(&ret[*ret_n], &a, why);
		if (r < 0)
			return r;
		++*ret_n;
	}
	return 0;
}

static int make(struct listeners **ret, const char *list, uint32_t n_workers, struct why *why)
{
	sl_auto(listeners) l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return why_errno(why, ENOMEM, "listeners");
	l->magic = LISTENERS_MAGIC;
	l->n_workers = n_workers;
	r = parse_list(list, l->endpoints, &l->n_addresses, why);
	if (r < 0)
		return r;
	l->fds = calloc((size_t)CONF_WORKERS_MAX * l->n_addresses + 1, sizeof(*l->fds));
	if (l->fds == NULL)
		return why_errno(why, ENOMEM, "listeners");
	for (size_t i = 0; i < (size_t)CONF_WORKERS_MAX * l->n_addresses; i++)
		l->fds[i] = -1;
	*ret = sl_steal(l);
	return 0;
}

/* A worker for each listener that is kept: what waits there must be accepted by somebody. */
static void count_kept(struct listeners *l, uint32_t workers_max, const struct fdstore *kept)
{
	for (unsigned i = 0; i < l->n_addresses; i++) {
		size_t n = fdstore_count(kept, FDSTORE_LISTENER, is_kept_here, &l->endpoints[i]);

		if (n > l->n_workers)
			l->n_workers = n < workers_max ? (uint32_t)n : workers_max;
	}
}

int listeners_restore(struct listeners **ret, const char *list, uint32_t n_workers,
		uint32_t workers_max, struct fdstore *kept, struct why *why)
{
	sl_auto(listeners) l = NULL;
	int r = make(&l, list, n_workers, why);

	if (r < 0)
		return r;
	count_kept(l, workers_max, kept);
	for (unsigned i = 0; i < l->n_addresses; i++)
		restore_address(l, i, kept);
	/* they may hold what others need: [::]:80 after 0.0.0.0:80 */
	fdstore_discard(kept, FDSTORE_LISTENER);
	for (unsigned i = 0; r == 0 && i < l->n_addresses; i++)
		r = open_address(l, i, why);
	if (r == 0)
		*ret = sl_steal(l);
	return r;
}

int listeners_open(struct listeners **ret, const char *list, uint32_t n_workers, struct why *why)
{
	return listeners_restore(ret, list, n_workers, n_workers, NULL, why);
}

static int adopt_one(struct listeners *l, const struct handover_listener *before, struct why *why)
{
	struct endpoint *e = &l->endpoints[before->address];
	int *fd = fd_of(l, before->worker, before->address);

	if (*fd >= 0 || !is_at(before->fd, e)) {
		why_set(why, "proxy_listen", 0, "fd %d is not the listener of %s:%u", before->fd,
				e->conf.host, e->conf.port);
		return -EBADF;
	}
	*fd = handover_take(before->fd);
	if (*fd < 0)
		return refuse_endpoint(e, -*fd, why);
	return endpoint_learn_port(e, *fd, why);
}

int listeners_adopt(struct listeners **ret, const char *list, const struct handover *before,
		struct why *why)
{
	sl_auto(listeners) l = NULL;
	int r = make(&l, list, (uint32_t)before->n_listening, why);

	if (r < 0)
		return r;
	if (before->n_listeners != (size_t)l->n_workers * l->n_addresses) {
		why_set(why, "proxy_listen", 0, "%zu listeners, not %zu", before->n_listeners,
				(size_t)l->n_workers * l->n_addresses);
		return -EPROTO;
	}
	for (size_t i = 0; r == 0 && i < before->n_listeners; i++) {
		const struct handover_listener *one = &before->listeners[i];

		if (one->worker >= l->n_workers || one->address >= l->n_addresses)
			return why_errno(why, EPROTO, "proxy_listen");
		r = adopt_one(l, one, why);
	}
	if (r == 0)
		*ret = sl_steal(l);
	return r;
}

bool listeners_hand_over(const struct listeners *l, struct handover *h)
{
	sl_check(l, LISTENERS_MAGIC);
	h->n_addresses = l->n_addresses;
	h->n_listening = l->n_workers;
	h->n_listeners = 0;
	for (uint32_t w = 0; w < l->n_workers; w++) {
		for (unsigned i = 0; i < l->n_addresses; i++) {
			if (h->n_listeners == HANDOVER_LISTENERS_MAX)
				return false;
			h->listeners[h->n_listeners++] =
					(struct handover_listener){w, i, *fd_of(l, w, i)};
		}
	}
	return true;
}

static int renew_one(int *fd, const struct endpoint *e, uint32_t worker, unsigned i,
		listener_placed_fn *placed, void *arg, struct why *why)
{
	int fresh = -1;
	int r = endpoint_bind(&fresh, e, true, why);

	if (r < 0)
		return r;
	placed(arg, worker, i, fresh);
	/* while systemd has a copy of it, what waits there does not move */
	fdstore_drop_listener(*fd, worker);
	fdstore_keep_listener(fresh, worker);
	sl_close_fd(fd);
	*fd = fresh;
	return 0;
}

int listeners_renew(struct listeners *l, uint32_t worker, listener_placed_fn *placed, void *arg,
		struct why *why)
{
	int r = 0, one;

	sl_check(l, LISTENERS_MAGIC);
	sl_assert(worker < l->n_workers);
	for (unsigned i = 0; i < l->n_addresses; i++) {
		one = renew_one(fd_of(l, worker, i), &l->endpoints[i], worker, i, placed, arg, why);
		r = r == 0 ? one : r;
	}
	return r;
}

static void close_last(struct listeners *l)
{
	for (unsigned i = 0; i < l->n_addresses; i++) {
		int *fd = fd_of(l, l->n_workers - 1, i);

		fdstore_drop_listener(*fd, l->n_workers - 1);
		sl_close_fd(fd);
		*fd = -1;
	}
	l->n_workers--;
}

int listeners_add(struct listeners *l, struct why *why)
{
	int r = 0;

	sl_check(l, LISTENERS_MAGIC);
	sl_assert(l->n_workers < CONF_WORKERS_MAX);
	l->n_workers++;
	for (unsigned i = 0; r == 0 && i < l->n_addresses; i++)
		r = endpoint_bind(fd_of(l, l->n_workers - 1, i), &l->endpoints[i], true, why);
	if (r < 0)
		close_last(l);
	for (unsigned i = 0; r == 0 && i < l->n_addresses; i++)
		fdstore_keep_listener(*fd_of(l, l->n_workers - 1, i), l->n_workers - 1);
	return r;
}

void listeners_drop(struct listeners *l)
{
	sl_check(l, LISTENERS_MAGIC);
	sl_assert(l->n_workers > 1);
	close_last(l);
}

void listeners_keep(const struct listeners *l, uint32_t worker, bool is_kept)
{
	sl_check(l, LISTENERS_MAGIC);
	for (unsigned i = 0; i < l->n_addresses; i++) {
		if (is_kept)
			fdstore_keep_listener(*fd_of(l, worker, i), worker);
		else
			fdstore_drop_listener(*fd_of(l, worker, i), worker);
	}
}

void listeners_free(struct listeners *l)
{
	if (l == NULL)
		return;
	sl_check(l, LISTENERS_MAGIC);
	for (size_t i = 0; l->fds != NULL && i < (size_t)l->n_workers * l->n_addresses; i++)
		sl_close_fd(&l->fds[i]);
	free(l->fds);
	l->magic = 0;
	free(l);
}

uint32_t listeners_workers(const struct listeners *l)
{
	return l->n_workers;
}

unsigned listeners_count(const struct listeners *l)
{
	return l->n_addresses;
}

int listeners_fd(const struct listeners *l, uint32_t worker, unsigned i)
{
	sl_check(l, LISTENERS_MAGIC);
	sl_assert(worker < l->n_workers && i < l->n_addresses);
	return *fd_of(l, worker, i);
}

uint16_t listeners_port(const struct listeners *l, unsigned i)
{
	sl_assert(i < l->n_addresses);
	return l->endpoints[i].conf.port;
}
