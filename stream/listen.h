/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets of the stream server.
 */
#pragma once

#include <event2/listener.h>

#include "base/why.h"

/* "host:port", "[v6]:port" or "unix:/path".  A unix socket gets mode 0600; a socket file that
 * nobody listens on any more is replaced, one that is in use or is no socket is an error. */
int listen_open(struct evconnlistener **ret, struct event_base *base, const char *address,
		evconnlistener_cb accept, void *arg, struct why *why);
