/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a stream address: "host:port", "[v6]:port" or "unix:/path".
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

#include "base/str.h"
#include "base/why.h"

#define ADDRESS_HOST_BYTES 256
#define ADDRESS_PATH_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path))

struct address {
	char host[ADDRESS_HOST_BYTES]; /* or the path of a unix socket (< ADDRESS_PATH_BYTES) */
	char port[6];                  /* "" for a unix socket */
	bool is_unix;
};

/* -EINVAL and why when text is none of the three forms. */
int address_parse(struct address *ret, struct str text, struct why *why);
