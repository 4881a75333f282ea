/* SPDX-License-Identifier: Apache-2.0 */
#include "master/listen_share.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "master/listen.h"

#define RETRIES_SWITCH "/proc/sys/net/ipv4/tcp_synack_retries"
#define RETRIES_DEFAULT 5
#define RETRY_MAX_MS 120000U
/* The kernel's timers are no more exact than that. */
#define SLACK_MS 1000

struct filter {
	struct sock_filter code[2 + 2 * CONF_WORKERS_MAX];
	unsigned short n;
};

static void add(struct filter *f, struct sock_filter insn)
{
	f->code[f->n++] = insn;
}

/* A number by chance below n_in; the k-th of those that are in. */
static void compile(struct filter *f, uint32_t n_workers, uint64_t out, uint32_t n_in)
{
	const uint32_t chance = (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM);
	uint32_t k = 0;

	add(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, chance));
	add(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n_in));
	for (uint32_t w = 0; w < n_workers; w++) {
		if ((out >> w & 1) != 0)
			continue;
		if (++k < n_in)
			add(f, (struct sock_filter)BPF_JUMP(
					       BPF_JMP | BPF_JEQ | BPF_K, k - 1, 0, 1));
		add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, w));
	}
}

static int attach(int fd, struct filter *f)
{
	struct sock_fprog program = {f->n, f->code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0
			       ? -errno
			       : 0;
}

/* ENOENT: none is there. */
static int detach(int fd)
{
	int none = 0;

	return setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)) < 0 &&
					       errno != ENOENT
			       ? -errno
			       : 0;
}

int listeners_share(const struct listeners *l, uint64_t out, struct why *why)
{
	uint32_t n = listeners_workers(l), n_in = 0;
	struct filter f = {.n = 0};
	int r = 0, one;

	for (uint32_t w = 0; w < n; w++)
		n_in += (out >> w & 1) == 0;
	if (out != 0 && n_in != 0)
		compile(&f, n, out, n_in);
	for (unsigned i = 0; i < listeners_count(l); i++) {
		one = f.n != 0 ? attach(listeners_fd(l, 0, i), &f) : detach(listeners_fd(l, 0, i));
		if (one < 0 && r == 0)
			r = why_errno(why, -one, "the kernel's share of listener %u", i);
	}
	return r;
}

static uint64_t read_retries(void)
{
	sl_auto_fd int fd = open(RETRIES_SWITCH, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	uint64_t n;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return RETRIES_DEFAULT;
	text[strcspn(text, "\n")] = '\0';
	return str_to_u64(str_of(text), &n) ? n : RETRIES_DEFAULT;
}

/* The first answer waits a second for its ACK, each retry twice as long. */
uint32_t listeners_handshake_ms(void)
{
	uint64_t retries = read_retries(), wait_ms = 1000, total_ms = SLACK_MS;

	for (uint64_t i = 0; i <= retries && i < 256; i++) {
		total_ms += wait_ms;
		wait_ms = wait_ms * 2 < RETRY_MAX_MS ? wait_ms * 2 : RETRY_MAX_MS;
	}
	return (uint32_t)total_ms;
}
