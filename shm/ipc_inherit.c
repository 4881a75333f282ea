/* SPDX-License-Identifier: Apache-2.0
 *
 * The child's side of inheritance: every fd is what the table says, or nothing starts.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shm/ipc.h"

static int socket_option(int fd, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &n) == 0 ? v : -1;
}

static bool is_channel(int fd)
{
	return socket_option(fd, SO_DOMAIN) == AF_UNIX &&
	       socket_option(fd, SO_TYPE) == SOCK_SEQPACKET;
}

static bool is_memory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

/* An eventfd is an anonymous inode: it has no file type at all. */
static bool is_eventfd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

/* A BPF map is an anonymous inode too. */
static bool is_memory_or_map(int fd)
{
	return is_memory(fd) || is_eventfd(fd);
}

static bool is_listener(int fd)
{
	return socket_option(fd, SO_TYPE) == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1;
}

static const struct {
	int fd;
	const char *what;
	bool (*holds)(int fd);
} rows[] = {
		{IPC_FD_CHANNEL, "the channel to the master", is_channel},
		{IPC_FD_CONF, "the configuration", is_memory},
		{IPC_FD_BOARD, "the board", is_memory_or_map},
		{IPC_FD_STAT, "the counters", is_memory},
		{IPC_FD_WAKE, "the wake-up eventfd", is_eventfd},
		{IPC_FD_DICT, "the plugin memory", is_memory},
		{IPC_FD_LAT, "the latency rows", is_memory_or_map},
		{IPC_FD_LAT_NAMES, "the latency names", is_memory_or_map},
		{IPC_FD_TRAFFIC, "the traffic counters", is_memory},
		{IPC_FD_BREAKER, "the breakers", is_memory},
		{IPC_FD_HEALTH, "the health of targets", is_memory},
};

int ipc_check_inherited(unsigned n_listeners, struct why *why)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].holds(rows[i].fd))
			continue;
		why_set(why, NULL, 0, "inherited fd %d is not %s; workers are started by sluiced",
				rows[i].fd, rows[i].what);
		return -EBADF;
	}
	for (unsigned i = 0; i < n_listeners; i++) {
		int fd = IPC_FD_LISTENERS + (int)i;

		if (is_listener(fd))
			continue;
		why_set(why, NULL, 0, "inherited fd %d is not a listening socket (%u of %u)", fd,
				i + 1, n_listeners);
		return -EBADF;
	}
	return 0;
}
