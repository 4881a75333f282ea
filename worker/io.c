/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/io.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_edge(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	if ((what & EV_READ) != 0)
		io->is_readable = true;
	if ((what & EV_WRITE) != 0)
		io->is_writable = true;
	if ((what & EV_CLOSED) != 0)
		io->is_readable = io->is_peer_closed = true;
	io->on_ready(io->arg);
}

int io_open(struct io *io, struct event_base *base, int fd, void (*on_ready)(void *), void *arg)
{
	const short what = EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST;

	io->fd = fd;
	io->is_readable = io->is_writable = io->is_peer_closed = io->is_datagram = false;
	io->on_ready = on_ready;
	io->arg = arg;
	io->layer = NULL;
	if (event_assign(&io->event, base, fd, what, on_edge, io) == 0 &&
			event_add(&io->event, NULL) == 0)
		return 0;
	close(fd);
	io->fd = -1;
	return -ENOMEM;
}

void io_close(struct io *io)
{
	if (io->fd < 0)
		return;
	event_del(&io->event);
	close(io->fd);
	io->fd = -1;
}

ssize_t io_read(struct io *io, void *p, size_t n)
{
	ssize_t got;

	if (io->layer != NULL)
		return io->layer->read(io->layer_arg, p, n);
	if (!io->is_readable)
		return -EAGAIN;
	do
		got = recv(io->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		if (errno == EAGAIN)
			io->is_readable = false;
		return -errno;
	}
	/* a short read emptied the socket: the next byte makes an edge.  A FIN that was
	 * there already does not. */
	if ((size_t)got < n && !io->is_peer_closed && !io->is_datagram)
		io->is_readable = false;
	return got;
}

ssize_t io_write(struct io *io, const struct iovec *iov, int n_iov)
{
	const struct msghdr m = {
			.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n_iov};
	size_t all = 0;
	ssize_t put;

	if (io->layer != NULL)
		return io->layer->write(io->layer_arg, iov, n_iov);
	if (!io->is_writable)
		return -EAGAIN;
	for (int i = 0; i < n_iov; i++)
		all += iov[i].iov_len;
	do
		put = n_iov == 1 ? send(io->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
				 : sendmsg(io->fd, &m, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put < 0) {
		if (errno == EAGAIN)
			io->is_writable = false;
		return -errno;
	}
	if ((size_t)put < all)
		io->is_writable = false;
	return put;
}

void io_end(struct io *io)
{
	if (io->layer != NULL)
		io->layer->end(io->layer_arg);
	shutdown(io->fd, SHUT_WR);
}
