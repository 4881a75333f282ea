/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/dns.h"

bool peer_parse(struct str text, struct peer *ret)
{
	char z[INET6_ADDRSTRLEN + 1];

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = (struct str){text.p + 1, text.n - 2};
	if (text.n == 0 || text.n >= sizeof(z))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, z, &ret->at.v4.sin_addr) == 1) {
		ret->at.v4.sin_family = AF_INET;
		ret->len = sizeof(ret->at.v4);
		return true;
	}
	if (inet_pton(AF_INET6, z, &ret->at.v6.sin6_addr) != 1)
		return false;
	ret->at.v6.sin6_family = AF_INET6;
	ret->len = sizeof(ret->at.v6);
	return true;
}

void peer_set_port(struct peer *p, uint16_t port)
{
	/* sin_port and sin6_port are at the same place */
	p->at.v4.sin_port = htons(port);
}

uint16_t peer_port(const struct peer *p)
{
	return ntohs(p->at.v4.sin_port);
}

bool peer_eq(const struct peer *a, const struct peer *b)
{
	return a->len == b->len && memcmp(&a->at, &b->at, a->len) == 0;
}

size_t peer_text(const struct peer *p, char *buf, size_t size)
{
	const void *address = &p->at.v4.sin_addr;

	if (p->at.any.sa_family == AF_INET6) {
		address = &p->at.v6.sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&p->at.v6.sin6_addr)) {
			address = p->at.v6.sin6_addr.s6_addr + 12;
			return inet_ntop(AF_INET, address, buf, (socklen_t)size) != NULL
					       ? strlen(buf)
					       : 0;
		}
	}
	if (inet_ntop(p->at.any.sa_family, address, buf, (socklen_t)size) == NULL)
		return 0;
	return strlen(buf);
}

int peer_connect(const struct peer *peer)
{
	const int one = 1;
	int fd, r;

	fd = socket(peer->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &peer->at.any, peer->len) == 0 || errno == EINPROGRESS)
		return fd;
	r = -errno;
	close(fd);
	return r;
}
