/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const char *const type_names[IPC_TYPE_COUNT] = {[IPC_NONE] = "?",
#define X(id, doc) [IPC_##id] = #id,
		IPC_TABLE(X)
#undef X
};

const char *ipc_type_name(enum ipc_type type)
{
	return (unsigned)type < IPC_TYPE_COUNT ? type_names[type] : "?";
}

int ipc_pair(int ret[2])
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	return socketpair(AF_UNIX, type, 0, ret) == 0 ? 0 : -errno;
}

static void ipc_put(struct ipc_out *out, const void *p, size_t n)
{
	if (n > sizeof(out->bytes) - out->n) {
		out->is_overflown = true;
		return;
	}
	if (n != 0)
		memcpy(out->bytes + out->n, p, n);
	out->n += (uint32_t)n;
}

void ipc_begin(struct ipc_out *out, enum ipc_type type)
{
	out->n = 0;
	out->is_overflown = false;
	ipc_put_u32(out, (uint32_t)type);
}

void ipc_put_u8(struct ipc_out *out, uint8_t v)
{
	ipc_put(out, &v, sizeof(v));
}

void ipc_put_u32(struct ipc_out *out, uint32_t v)
{
	ipc_put(out, &v, sizeof(v));
}

void ipc_put_u64(struct ipc_out *out, uint64_t v)
{
	ipc_put(out, &v, sizeof(v));
}

void ipc_put_str(struct ipc_out *out, struct str s)
{
	if (s.n > sizeof(out->bytes)) {
		out->is_overflown = true;
		return;
	}
	ipc_put_u32(out, (uint32_t)s.n);
	ipc_put(out, s.p, s.n);
}

static int ipc_condition(int err)
{
	if (err == EAGAIN || err == EINTR)
		return IPC_E_AGAIN;
	if (err == EPIPE || err == ECONNRESET || err == ENOTCONN)
		return IPC_E_CLOSED;
	return -err;
}

int ipc_send(int fd, const struct ipc_out *out)
{
	if (out->is_overflown)
		return -EMSGSIZE;
	if (send(fd, out->bytes, out->n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return ipc_condition(errno);
	return 0;
}

int ipc_recv(int fd, struct ipc_in *in)
{
	ssize_t n;
	uint32_t type;

	n = recv(fd, in->bytes, sizeof(in->bytes), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return ipc_condition(errno);
	if (n == 0)
		return IPC_E_CLOSED;
	in->type = IPC_NONE;
	in->at = 0;
	in->is_short = false;
	in->n = (uint32_t)((size_t)n < sizeof(in->bytes) ? (size_t)n : sizeof(in->bytes));
	if ((size_t)n > sizeof(in->bytes))
		return IPC_E_MALFORMED;
	type = ipc_get_u32(in);
	if (in->is_short || type == IPC_NONE || type >= IPC_TYPE_COUNT)
		return IPC_E_MALFORMED;
	in->type = (enum ipc_type)type;
	return 0;
}

static void ipc_get(struct ipc_in *in, void *ret, size_t n)
{
	if (in->is_short || n > in->n - in->at) {
		in->is_short = true;
		memset(ret, 0, n);
		return;
	}
	memcpy(ret, in->bytes + in->at, n);
	in->at += (uint32_t)n;
}

uint8_t ipc_get_u8(struct ipc_in *in)
{
	uint8_t v;

	ipc_get(in, &v, sizeof(v));
	return v;
}

uint32_t ipc_get_u32(struct ipc_in *in)
{
	uint32_t v;

	ipc_get(in, &v, sizeof(v));
	return v;
}

uint64_t ipc_get_u64(struct ipc_in *in)
{
	uint64_t v;

	ipc_get(in, &v, sizeof(v));
	return v;
}

struct str ipc_get_str(struct ipc_in *in)
{
	uint32_t n = ipc_get_u32(in);
	struct str s;

	if (in->is_short || n > in->n - in->at) {
		in->is_short = true;
		return STR_NONE;
	}
	s = (struct str){(const char *)in->bytes + in->at, n};
	in->at += n;
	return s;
}

bool ipc_done(const struct ipc_in *in)
{
	return !in->is_short && in->at == in->n;
}
