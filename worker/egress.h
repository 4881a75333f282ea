/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_egress: where plugins may connect to.  Asked with the address that will be dialled,
 * so that a name which changes its address gains nothing.
 *
 * `any` and networks wider than they leave out what is local to the node (loopback), link-local
 * with the metadata services there, multicast and unspecified addresses: an entry inside such a
 * block opens it.  A host name opens loopback only ("localhost").  The node's own admin, status
 * and cluster listeners need their address and port.  `any` opens the name servers that the node
 * itself asks, wherever they are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/conf.h"
#include "worker/dns.h"

struct egress;

int egress_new(struct egress **ret, const struct conf *conf, struct why *why);
void egress_free(struct egress *e);
SL_DEFINE_AUTO(egress);

/* A name server of the node: n of them, copied. */
int egress_set_servers(struct egress *e, const struct peer *servers, unsigned n);

/* host: as the plugin named it; to: the address and port it will be. */
bool egress_allows(const struct egress *e, struct str host, const struct peer *to);
/* Once the local side is known: `to` is an address of this machine, and a port of ours. */
bool egress_is_own(const struct egress *e, const struct peer *to, const struct peer *local);
