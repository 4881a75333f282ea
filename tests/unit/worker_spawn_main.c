/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one sluice-worker without a master, for tests and profiles:
 *
 *	worker_spawn PREFIX LISTEN ROUTE…      ROUTE: PATH=HOST:PORT[/SERVICE-PATH]
 *
 * writes a snapshot with these routes below PREFIX, makes what a worker inherits, starts
 * it, prints "ready" when it accepts.  SIGTERM drains.  Configuration by SLUICE_<KEY>.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/hex.h"
#include "shm/board.h"
#include "shm/breaker.h"
#include "shm/conf.h"
#include "shm/dict.h"
#include "shm/ipc.h"
#include "shm/lat.h"
#include "shm/programs.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot_write.h"
#include "shm/stat.h"
#include "shm/traffic.h"

static volatile sig_atomic_t is_stopping;

static void on_term(int n)
{
	(void)n;
	is_stopping = 1;
}

_Noreturn static void die(const char *what, const struct why *why)
{
	fprintf(stderr, "worker_spawn: %s: %s %s\n", what, why != NULL ? why->file : "",
			why != NULL ? why->text : "");
	exit(1);
}

static void put(struct snap_txn *t, uint32_t kind, const char *id, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = malloc(n + 1);
	struct why why = WHY_NONE;

	protobuf_c_message_pack(m, bytes);
	if (snap_txn_put(t, kind, str_of(id), 1, (struct str){(char *)bytes, n}, &why) != 0)
		die("snapshot", &why);
	free(bytes);
}

/* "PATH=HOST:PORT[/SERVICE-PATH]" */
static void put_route(struct snap_txn *t, char *spec)
{
	char service_id[UUID_TEXT_BYTES], route_id[UUID_TEXT_BYTES];
	char *host = strchr(spec, '='), *port, *path, *protocols[] = {"http", "https"};
	Sluice__Record__Service s = SLUICE__RECORD__SERVICE__INIT;
	Sluice__Record__Route r = SLUICE__RECORD__ROUTE__INIT;

	if (host == NULL || (port = strrchr(host, ':')) == NULL)
		die("not a route", NULL);
	*host++ = *port++ = '\0';
	path = strchr(port, '/');
	uuid_make(service_id);
	uuid_make(route_id);
	s.id = s.name = service_id;
	s.enabled = true;
	s.protocol = "http";
	s.host = host;
	s.port = (uint32_t)strtoul(port, NULL, 10);
	if (path != NULL)
		s.path = path;
	s.retries = 5;
	s.connect_timeout_ms = s.write_timeout_ms = s.read_timeout_ms = 2000;
	r.id = r.name = route_id;
	r.service_id = service_id;
	r.n_protocols = 2;
	r.protocols = protocols;
	r.n_paths = 1;
	r.paths = &spec;
	r.strip_path = r.request_buffering = true;
	r.path_handling = "v0";
	r.https_redirect_status_code = 426;
	put(t, SLUICE__RECORD__KIND__SERVICE, service_id, &s.base);
	put(t, SLUICE__RECORD__KIND__ROUTE, route_id, &r.base);
}

static void write_snapshot(const struct conf *conf, char **specs, int n)
{
	struct snapshot_writer *w = NULL;
	struct snap_txn *t = NULL;
	struct why why = WHY_NONE;
	char *dir = conf_path(conf, "snapshot");

	if (snapshot_writer_open(&w, dir, (unsigned)-1, &why) != 0)
		die("snapshot", &why);
	if (snap_txn_begin(w, &t, &why) != 0 || snap_txn_clear(t, &why) != 0)
		die("snapshot", &why);
	for (int i = 0; i < n; i++)
		put_route(t, specs[i]);
	if (snap_txn_commit(t, STR("0123456789abcdef"), 1, STR("01234567890123456789012345678901"),
			    &why) != 0)
		die("snapshot", &why);
	snap_txn_free(t);
	snapshot_writer_free(w);
	free(dir);
}

static int listen_on(const struct conf *conf)
{
	const int one = 1;
	const char *at = conf->proxy_listen;
	struct conf_address a;
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct why why = WHY_NONE;
	struct str text;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (!conf_list_next(&at, &text) || conf_parse_address(text, &a, &why) != 0)
		die("proxy_listen", &why);
	in.sin_port = htons(a.port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 || listen(fd, 4096) != 0)
		die(strerror(errno), NULL);
	return fd;
}

#define INHERITED (IPC_FD_LISTENERS - IPC_FD_CHANNEL + 1)

_Noreturn static void exec_worker(const int fds[INHERITED])
{
	struct why why = WHY_NONE;
	char *program;
	int high[INHERITED];

	if (program_find("sluice-worker", &program, &why) != 0)
		die("sluice-worker", &why);
	for (int i = 0; i < INHERITED; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 64);
	for (int i = 0; i < INHERITED; i++)
		dup2(high[i], IPC_FD_CHANNEL + i);
	closefrom(IPC_FD_LISTENERS + 1);
	execl(program, "sluice-worker", "--slot", "0", (char *)NULL);
	die(strerror(errno), NULL);
}

/* Until the worker left: 0, or its status. */
static int supervise(int channel, pid_t pid)
{
	static struct ipc_in in;
	static struct ipc_out out;
	bool is_told = false;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd p = {.fd = channel, .events = POLLIN};

		poll(&p, 1, 100);
		while (ipc_recv(channel, &in) == 0)
			if (in.type == IPC_READY) {
				puts("ready");
				fflush(stdout);
			}
		if (is_stopping && !is_told) {
			ipc_begin(&out, IPC_DRAIN);
			ipc_put_u32(&out, 2000);
			ipc_send(channel, &out);
			is_told = true;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct why why = WHY_NONE;
	struct conf *conf;
	struct board *board;
	struct stat_area *stats;
	struct dict *dict;
	struct breaker *breaker;
	static const struct breaker_conf no_breaker;
	int pair[2], fds[INHERITED];
	pid_t pid;

	if (argc < 3)
		die("usage: worker_spawn PREFIX LISTEN ROUTE…", NULL);
	mkdir(argv[1], 0755);
	setenv("SLUICE_PREFIX", argv[1], 1);
	setenv("SLUICE_PROXY_LISTEN", argv[2], 1);
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	if (conf_load(&conf, NULL, &why) != 0)
		die("configuration", &why);
	write_snapshot(conf, argv + 3, argc - 3);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0)
		die(strerror(errno), NULL);
	fds[0] = pair[1];
	fds[1] = conf_to_fd(conf, &why);
	if (board_create(&board, &fds[2], 1, &why) != 0 ||
			stat_create(&stats, &fds[3], 1, &why) != 0 ||
			dict_create(&dict, &fds[5], conf->plugin_dict_size, conf->plugin_dict_quota,
					&why) != 0 ||
			lat_create(&fds[6], &fds[7],
					(struct lat_shape){1,
							lat_plugins_round(
									conf->plugin_latency_slots)},
					&why) != 0 ||
			traffic_create(&fds[8], (struct traffic_shape){1, conf->traffic_routes},
					&why) != 0 ||
			breaker_create(&breaker, &fds[9], &no_breaker, &why) != 0)
		die("shared memory", &why);
	fds[4] = eventfd(0, EFD_NONBLOCK);
	fds[INHERITED - 1] = listen_on(conf);
	pid = fork();
	if (pid == 0)
		exec_worker(fds);
	close(pair[1]);
	return supervise(pair[0], pid);
}
