/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/supervise_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "shm/ipc.h"

/* ---- the worker ---- */

enum { BEAT_MS = 20 };

static void say(enum ipc_type type, uint64_t generation)
{
	static struct ipc_out out;

	ipc_begin(&out, type);
	if (type == IPC_READY)
		ipc_put_u32(&out, (uint32_t)getpid());
	if (type == IPC_FAILED)
		ipc_put_str(&out, STR("nothing works here"));
	else
		ipc_put_u64(&out, generation);
	ipc_send(IPC_FD_CHANNEL, &out);
}

static bool is_mode(const char *mode)
{
	return strcmp(getenv("FAKE_WORKER"), mode) == 0;
}

/* "slow" never finishes what it has. */
static void heed(void)
{
	static struct ipc_in in;
	int r;

	while ((r = ipc_recv(IPC_FD_CHANNEL, &in)) == 0) {
		if (in.type == IPC_GENERATION)
			say(IPC_GENERATION_DONE, ipc_get_u64(&in));
		if (in.type == IPC_DRAIN && !is_mode("slow"))
			_exit(0);
	}
	if (r != IPC_E_AGAIN)
		_exit(0);
}

int fake_worker(uint32_t slot)
{
	struct pollfd channel = {.fd = IPC_FD_CHANNEL, .events = POLLIN};
	struct why why = WHY_NONE;
	struct board *b = NULL;

	if (is_mode("fails")) {
		say(IPC_FAILED, 0);
		return 1;
	}
	if (board_map(&b, IPC_FD_BOARD, &why) != 0)
		return 2;
	atomic_store(&b->slots[slot].state, is_mode("silent") ? SLOT_STARTING : SLOT_READY);
	if (is_mode("lies"))
		(void)!write(IPC_FD_CHANNEL, "????????", 8);
	else if (!is_mode("silent"))
		say(IPC_READY, is_mode("empty") ? 0 : 1);
	for (;;) {
		atomic_store(&b->slots[slot].heartbeat_ns, clock_mono_ns());
		poll(&channel, 1, BEAT_MS);
		heed();
	}
}

/* ---- the master ---- */

static void on_ready(void *arg, uint32_t slot, uint64_t generation)
{
	(void)slot;
	(void)generation;
	((struct bed *)arg)->n_ready++;
}

static void on_generation(void *arg, uint32_t slot, uint64_t generation)
{
	(void)arg;
	(void)slot;
	(void)generation;
}

static void on_left(void *arg, uint32_t slot)
{
	(void)slot;
	((struct bed *)arg)->n_left++;
}

static void on_gone(void *arg, uint32_t slot)
{
	(void)arg;
	(void)slot;
}

static void on_scaled(void *arg, uint32_t n)
{
	(void)n;
	((struct bed *)arg)->n_scaled++;
}

static void on_stopped(void *arg)
{
	((struct bed *)arg)->is_stopped = true;
}

static const struct supervise_events events = {
		.ready = on_ready,
		.generation_done = on_generation,
		.left = on_left,
		.gone = on_gone,
		.scaled = on_scaled,
		.stopped = on_stopped,
};

static void free_port(char *ret, size_t size)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	close(fd);
	snprintf(ret, size, "127.0.0.1:%u", ntohs(sa.sin_port));
}

void act(const char *mode)
{
	setenv("FAKE_WORKER", mode, 1);
}

void open_bed(struct bed *b, const char *mode, uint32_t n)
{
	struct why why = WHY_NONE;
	char listen[32];
	ssize_t len = readlink("/proc/self/exe", b->program, sizeof(b->program) - 1);

	assert_true(len > 0);
	b->program[len] = '\0';
	act(mode);
	free_port(listen, sizeof(listen));
	setenv("SLUICE_PROXY_LISTEN", listen, 1);
	setenv("SLUICE_STEERING", "off", 1);
	setenv("SLUICE_WORKER_RESTART_DELAY_MS", "10", 1);
	log_init("test", LOG_EMERG);
	b->base = event_base_new();
	b->dummy_fd = memfd_create("dummy", MFD_CLOEXEC);
	assert_int_equal(conf_load(&b->conf, NULL, &why), 0);
	assert_int_equal(listeners_open(&b->listeners, listen, n, &why), 0);
	assert_int_equal(steering_new(&b->steering, b->conf, "id", n, 4 * BOARD_SEATS, &why), 0);
	assert_int_equal(steering_take_listeners(b->steering, b->listeners, &why), 0);
	assert_int_equal(supervise_new(&b->s, b->base,
					 &(struct supervise_conf){.conf = b->conf,
							 .listeners = b->listeners,
							 .steering = b->steering,
							 .n_workers = n,
							 .workers_max = 4,
							 .dict_fd = b->dummy_fd,
							 .lat_fd = b->dummy_fd,
							 .lat_names_fd = b->dummy_fd,
							 .traffic_fd = b->dummy_fd,
							 .breaker_fd = b->dummy_fd,
							 .overlap_ms = 300,
							 .program = b->program},
					 &events, b, &why),
			0);
	supervise_start(b->s);
}

void close_bed(struct bed *b)
{
	supervise_free(b->s);
	steering_free(b->steering);
	listeners_free(b->listeners);
	conf_free(b->conf);
	event_base_free(b->base);
	close(b->dummy_fd);
	*b = (struct bed){.base = NULL};
}

/* "0 ready, 1 draining": every process that there is. */
static const char *picture(const struct bed *b)
{
	static char text[512];
	struct supervise_process p;
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; supervise_process_at(b->s, i, &p); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u %s", i > 0 ? ", " : "",
				p.worker, p.state);
	return text;
}

void wait_for(struct bed *b, const char *wanted)
{
	uint64_t until_ms = clock_mono_ms() + 20000;

	while (strcmp(picture(b), wanted) != 0 && clock_mono_ms() < until_ms) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
	assert_string_equal(picture(b), wanted);
}

static uint64_t failed(const struct bed *b)
{
	struct supervise_replacements r;

	supervise_replacements(b->s, &r);
	return r.failed;
}

void wait_for_failures(struct bed *b, uint64_t n)
{
	uint64_t until_ms = clock_mono_ms() + 20000;

	while (failed(b) < n && clock_mono_ms() < until_ms) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
	assert_int_equal(failed(b), n);
}
