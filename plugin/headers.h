/* SPDX-License-Identifier: Apache-2.0
 *
 * An ordered list of header fields of one message, in a request's arena.
 * Names compare case-insensitively (RFC 9110 5.1).  The *_loose calls also take
 * '_' for '-', as Kong's getters do.  Values are kept as given; nothing is validated
 * here but by headers_name_is_valid()/headers_value_is_valid().
 *
 * Common names carry an id (header_table.h), so that the hot path compares integers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* clang-format off */
#define HEADER_TABLE(X) \
	X(HOST, "Host") \
	X(CONNECTION, "Connection") \
	X(CONTENT_LENGTH, "Content-Length") \
	X(TRANSFER_ENCODING, "Transfer-Encoding") \
	X(CONTENT_TYPE, "Content-Type") \
	X(EXPECT, "Expect") \
	X(UPGRADE, "Upgrade") \
	X(TE, "TE") \
	X(TRAILER, "Trailer") \
	X(KEEP_ALIVE, "Keep-Alive") \
	X(PROXY_CONNECTION, "Proxy-Connection") \
	X(PROXY, "Proxy") \
	X(VIA, "Via") \
	X(SERVER, "Server") \
	X(DATE, "Date") \
	X(ACCEPT, "Accept") \
	X(USER_AGENT, "User-Agent") \
	X(AUTHORIZATION, "Authorization") \
	X(COOKIE, "Cookie") \
	X(SET_COOKIE, "Set-Cookie") \
	X(LOCATION, "Location") \
	X(CONTENT_ENCODING, "Content-Encoding") \
	X(CACHE_CONTROL, "Cache-Control") \
	X(X_FORWARDED_FOR, "X-Forwarded-For") \
	X(X_FORWARDED_PROTO, "X-Forwarded-Proto") \
	X(X_FORWARDED_HOST, "X-Forwarded-Host") \
	X(X_FORWARDED_PORT, "X-Forwarded-Port") \
	X(X_FORWARDED_PATH, "X-Forwarded-Path") \
	X(X_FORWARDED_PREFIX, "X-Forwarded-Prefix") \
	X(X_REAL_IP, "X-Real-IP") \
	X(X_KONG_REQUEST_ID, "X-Kong-Request-Id") \
	X(X_KONG_PROXY_LATENCY, "X-Kong-Proxy-Latency") \
	X(X_KONG_UPSTREAM_LATENCY, "X-Kong-Upstream-Latency") \
	X(X_KONG_RESPONSE_LATENCY, "X-Kong-Response-Latency") \
	X(X_KONG_UPSTREAM_STATUS, "X-Kong-Upstream-Status")
/* clang-format on */

enum header_id {
	HEADER_OTHER,
#define X(id, name) HEADER_##id,
	HEADER_TABLE(X)
#undef X
			HEADER_ID_COUNT
};

struct header {
	struct str name;
	struct str value;
	enum header_id id;
	bool is_scanned; /* as it was received: name and value are known to be well-formed */
};

/* Embedded by value.  v[0..n) in order of the message.  A removed field leaves no hole. */
struct headers {
	struct arena *arena;
	struct header *v;
	uint32_t n, cap;
	bool is_shared; /* v belongs to another list: copied before the first change */
};

void headers_init(struct headers *h, struct arena *arena);
/* HEADER_OTHER for any name that is not in the table. */
enum header_id header_id_of(struct str name);
/* The table's lower-case spelling. */
struct str header_id_name(enum header_id id);

/* First field of that name, or NULL; valid until the list changes. */
const struct header *headers_find(const struct headers *h, struct str name);
const struct header *headers_find_id(const struct headers *h, enum header_id id);
const struct header *headers_find_loose(const struct headers *h, struct str name);
/* Value of the first field, STR_NONE (p == NULL) when absent. */
struct str headers_get(const struct headers *h, struct str name);
struct str headers_get_id(const struct headers *h, enum header_id id);
/* The next field of the same name behind `at` (which came from a find), or NULL. */
const struct header *headers_next(const struct headers *h, const struct header *at);

/* The slices must live as long as the arena: copy first what does not.
 * 0, or -ENOMEM (the arena is exhausted; the list is unchanged). */
int headers_add(struct headers *h, struct str name, struct str value);
/* One that came over the wire, past h1_scan. */
int headers_add_scanned(struct headers *h, struct str name, struct str value);
int headers_add_id(struct headers *h, enum header_id id, struct str value);
/* Replaces the first of that name in place and removes the rest; adds when absent. */
int headers_set(struct headers *h, struct str name, struct str value);
int headers_set_id(struct headers *h, enum header_id id, struct str value);
/* Removes all of that name; returns how many. */
uint32_t headers_remove(struct headers *h, struct str name);
uint32_t headers_remove_id(struct headers *h, enum header_id id);
/* to becomes the same list without copying; each copies before it changes. */
void headers_share(struct headers *to, struct headers *from);

/* RFC 9110 5.6.2 token, not empty. */
bool headers_name_is_valid(struct str name);
/* RFC 9110 5.5: no CTL but HTAB; may be empty. */
bool headers_value_is_valid(struct str value);
/* `token` is a member of a comma-separated list value, case-insensitively. */
bool headers_list_has(struct str value, struct str token);

/* A Connection field of the same message names `name`: it is for this hop only (RFC 9110
 * 7.6.1). */
bool headers_connection_names(const struct headers *h, struct str name);
/* Some Connection field says more than keep-alive or close, so that the above is worth asking. */
bool headers_connection_has_names(const struct headers *h);
