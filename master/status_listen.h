/* SPDX-License-Identifier: Apache-2.0
 *
 * The listening sockets of the status API: made, or taken over from the image of sluiced before
 * this one, so that who asks in between waits and is not refused.  libevent.
 */
#pragma once

#include <event2/http.h>
#include <stddef.h>

#include "base/why.h"

struct handover;

#define STATUS_SOCKETS_MAX 32

struct status_sockets {
	size_t n;
	int fds[STATUS_SOCKETS_MAX]; /* libevent's */
	int operators;
};

/* list: conf status_listen.  Fills ret.  -errno with why. */
int status_listen_open(struct evhttp *http, const char *list, const struct handover *before,
		struct status_sockets *ret, struct why *why);
/* A unix socket at path, mode 0600. */
int status_listen_operators(struct evhttp *http, const char *path, const struct handover *before,
		struct status_sockets *ret, struct why *why);
