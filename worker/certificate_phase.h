/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate phase: before a certificate is shown, the plugins that are configured for all
 * requests may look at the server name, ask for the client's certificate, or end the handshake.
 * It may wait.  One of a connection; what plugins left in kong.ctx.shared and ngx.ctx is handed
 * on to each of its requests.
 */
#pragma once

#include <stdbool.h>

#include "plugin/exchange.h"

struct certificate_phase;
struct client_tls;
struct conn;
struct worker;

/* Some plugin has the phase. */
bool certificate_phase_is_wanted(const struct worker *w);
/* NULL: out of memory. */
struct certificate_phase *certificate_phase_new(struct conn *c, struct client_tls *t);
/* Ends what waits.  NULL allowed. */
void certificate_phase_free(struct certificate_phase *p);
/* 1 = over, 0 = the handshake shall fail, -1 = it waits, and wakes the connection. */
int certificate_phase_run(struct certificate_phase *p);
/* Behind the phase: copies for a request.  p NULL allowed.  0, -ENOMEM */
int certificate_phase_hand_on(const struct certificate_phase *p, struct exchange *x);
