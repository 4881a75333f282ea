/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/node_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define REQUEST_MAX 16384 /* three bytes for each of a path's */
/* A sluiced that becomes another program cuts off who is asking. */
#define TRIES 20
#define TRY_AGAIN_US 50000
#define ANSWER_MAX (256u * 1024 * 1024)

static int explain(struct why *why, int err, const char *path)
{
	if (err == ENOENT || err == ECONNREFUSED)
		why_set(why, NULL, 0,
				"no node runs on this prefix (%s): start one with sluiced -c FILE, "
				"or "
				"name its prefix with --prefix or -c",
				path);
	else if (err == EACCES || err == EPERM)
		why_set(why, NULL, 0, "%s: permission denied: run as the user of sluiced", path);
	else if (err == EAGAIN || err == ETIMEDOUT)
		why_set(why, NULL, 0, "the node did not answer within %d s", NODE_LINK_TIMEOUT_S);
	else
		why_errno(why, err, "%s", path);
	return -err;
}

static int dial(const char *prefix, int *ret_fd, struct why *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = NODE_LINK_TIMEOUT_S};
	sl_auto_fd int fd = -1;
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sluiced.sock", prefix);

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path)) {
		why_set(why, NULL, 0, "prefix %s: too long for a socket", prefix);
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
			connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return explain(why, errno, sa.sun_path);
	*ret_fd = sl_steal_fd(&fd);
	return 0;
}

static int exchange(
		int fd, const char *method, const char *path, struct buf *answer, struct why *why)
{
	char request[REQUEST_MAX];
	ssize_t n = snprintf(request, sizeof(request),
			"%s %s HTTP/1.0\r\nHost: sluiced\r\nContent-Length: 0\r\n\r\n", method,
			path);

	if ((size_t)n >= sizeof(request))
		return explain(why, ENAMETOOLONG, "sluiced.sock");
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return explain(why, errno, "sluiced.sock");
	for (;;) {
		if (!buf_reserve(answer, 65536) || answer->n > ANSWER_MAX)
			return explain(why, ENOMEM, "answer of the node");
		n = recv(fd, answer->p + answer->n, 65536, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return explain(why, errno, "sluiced.sock");
		if (n == 0)
			return 0;
		answer->n += (size_t)n;
	}
}

static int parse_answer(struct str answer, int *ret_code, json_t **ret_doc, struct why *why)
{
	ptrdiff_t body = str_find(answer, STR("\r\n\r\n"));
	uint64_t code = 0;
	struct str digits;

	digits = str_head(str_from(answer, strlen("HTTP/1.x ")), 3);
	if (body < 0 || !str_starts(answer, STR("HTTP/1.")) || !str_to_u64(digits, &code)) {
		why_set(why, NULL, 0, "the node gave no answer that makes sense");
		return -EBADMSG;
	}
	answer = str_from(answer, (size_t)body + 4);
	*ret_code = (int)code;
	*ret_doc = json_loadb(answer.p, answer.n, 0, NULL);
	if (*ret_doc == NULL) {
		why_set(why, NULL, 0, "the node's answer is not JSON (HTTP status %d)", *ret_code);
		return -EBADMSG;
	}
	return 0;
}

static int ask_once(const char *prefix, const char *method, const char *path, int *ret_code,
		json_t **ret_doc, struct why *why)
{
	sl_auto_buf answer = {.p = NULL};
	sl_auto_fd int fd = -1;
	int r = dial(prefix, &fd, why);

	if (r == 0)
		r = exchange(fd, method, path, &answer, why);
	if (r == 0 && answer.n == 0)
		return explain(why, ECONNRESET, "sluiced.sock");
	return r == 0 ? parse_answer(buf_str(&answer), ret_code, ret_doc, why) : r;
}

int node_link_ask(const char *prefix, const char *method, const char *path, int *ret_code,
		json_t **ret_doc, struct why *why)
{
	int r = -ECONNRESET;

	for (int i = 0; r == -ECONNRESET && i < TRIES; i++) {
		if (i > 0)
			usleep(TRY_AGAIN_US);
		r = ask_once(prefix, method, path, ret_code, ret_doc, why);
		/* an order may have been heard */
		if (strcmp(method, "GET") != 0)
			break;
	}
	return r;
}
