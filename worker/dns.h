/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to addresses without blocking: libevent's evdns with a cache in front.  Answers
 * serve for their TTL, then (while a new look-up runs, or when it fails) for a while more;
 * look-ups of one name are asked once.  IPv6 addresses
 * are used for names that have no IPv4.  A literal address needs no look-up.
 * dns_new() reads resolv.conf and hosts: before the jail.  Single-threaded.
 */
#pragma once

#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/conf.h"

#define DNS_ADDRESSES_MAX 8
#define DNS_NAME_MAX 255
#define DNS_SERVERS_MAX 16

struct dns;

struct peer {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	uint32_t len;
};

struct dns_answer {
	uint32_t n; /* 0: no such name, or no answer in time */
	struct peer peers[DNS_ADDRESSES_MAX];
};

/* A pending question, embedded by who asks. */
struct dns_wait {
	struct dns_wait *next, **back; /* back != NULL: pending */
	void (*fn)(void *arg, const struct dns_answer *answer);
	void *arg;
};

int dns_new(struct dns **ret, struct event_base *base, const struct conf *conf, struct why *why);
void dns_free(struct dns *d);
SL_DEFINE_AUTO(dns);
/* The name servers that are asked, with their ports: at most max.  Returns how many. */
unsigned dns_servers(const struct dns *d, struct peer *ret, unsigned max);

/* True: *ret is the answer (port 0), copied, rotated so that peers take turns.  False:
 * wait->fn is called later, once. */
bool dns_find(struct dns *d, struct str host, struct dns_answer *ret, struct dns_wait *wait);
/* NULL-safe for a wait that is not pending. */
void dns_cancel(struct dns_wait *wait);

/* "10.0.0.1", "::1", "[::1]" → an address with port 0. */
bool peer_parse(struct str text, struct peer *ret);
void peer_set_port(struct peer *p, uint16_t port);
/* A socket on its way, or -errno. */
int peer_connect(const struct peer *peer);
bool peer_eq(const struct peer *a, const struct peer *b);
/* Text of the address into buf (46 bytes at least); returns its length. */
size_t peer_text(const struct peer *p, char *buf, size_t size);
uint16_t peer_port(const struct peer *p);
