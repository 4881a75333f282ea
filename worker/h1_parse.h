/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/1 head (RFC 9112), already found whole and strictly formed by h1_scan(), split
 * into slices by llhttp, then read once: what frames the body, whether the connection
 * stays, which host is meant.  Whatever allows two readings is refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "plugin/headers.h"
#include "worker/h1_body.h"

struct h1_head {
	struct str start_line; /* without CRLF */
	struct str method, target;
	struct str authority; /* requests: Host, or the absolute form's; n == 0: none (HTTP/1.0) */
	int status;           /* responses */
	uint8_t minor;        /* of HTTP/1.x */
	enum h1_framing framing;
	uint64_t length;
	bool keep_alive;
	bool expects_continue;
	bool is_upgrade; /* Connection: upgrade with Upgrade */
};

/* head: through its empty line, from h1_scan().  Fields go to `headers` as slices of head.
 * 0, or the negated status: -400, -417 (an Expect we do not know), -500 (no memory). */
int h1_parse_request(struct h1_head *ret, struct str head, struct headers *headers);
/* method: of the request it answers (HEAD has no body).  0, or -502. */
int h1_parse_response(
		struct h1_head *ret, struct str head, struct str method, struct headers *headers);

/* uri-host [":" port] of RFC 9110 7.2, without userinfo, not empty. */
bool h1_authority_is_valid(struct str authority);
