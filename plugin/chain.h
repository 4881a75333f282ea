/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugins of one request, phase by phase, each in its own VM under its budget.
 * Semantics: kong 3.15 handler contract (order, collected phases after exit, scope
 * precedence by consumer), except that an error stays with its plugin and phase.
 *
 * The host's calls, in order:
 *	[chain_certificate on a chain of the connection's own]
 *	chain_new → chain_rewrite → (route match) chain_set_plan → chain_access
 *	→ [proxy] → [chain_response] → chain_header_filter → chain_body_filter × n
 *	→ chain_log → chain_free
 * A phase that no plugin implements returns at once.
 */
#pragma once

#include <stdbool.h>

#include "plugin/engine.h"
#include "plugin/exchange.h"

struct chain;

enum chain_verdict {
	CHAIN_GO_ON,  /* the phase is over */
	CHAIN_ANSWER, /* the phase is over and exchange->answer is to be sent instead of going on */
	CHAIN_WAIT,   /* parked by an exchange_ops call; chain_resume() when that is done */
};

/* In x's arena, on the engine's globals plan (what runs when no route matches).  NULL = out
 * of memory.  The chain holds references: always chain_free(). */
struct chain *chain_new(struct engine *e, struct exchange *x);
/* Ends parked runs and drops references.  NULL allowed. */
void chain_free(struct chain *c);

/* After routing: p is borrowed during the call, referenced after. */
void chain_set_plan(struct chain *c, struct plan *p);

/* May return CHAIN_WAIT.  rewrite and access set exchange->answer on exit or error; a failed
 * condition or a budget trip answers 500 unless on_error = open. */
enum chain_verdict chain_rewrite(struct chain *c);
/* Of the plugins for all requests; may wait.  CHAIN_ANSWER: an error, end the handshake. */
enum chain_verdict chain_certificate(struct chain *c);
/* Behind it: what plugins have in kong.ctx.plugin goes to exchange->ctx_plugins, as far as it is
 * plain data. */
void chain_keep_ctx(struct chain *c);
enum chain_verdict chain_access(struct chain *c);
/* Before another try at the service.  Runs the function of set_target_retry_callback(), which
 * may change upstream.host and port, or set exchange->answer.  True: it did change them.  What
 * fails in it is logged and changes nothing. */
bool chain_retry(struct chain *c);
/* Only when chain_wants_response(): the whole service body is in response.service_body. */
enum chain_verdict chain_response(struct chain *c);
/* The phase that returned CHAIN_WAIT goes on. */
enum chain_verdict chain_resume(struct chain *c);

/* True after access: some collected plugin has a response phase, or buffering was enabled. */
bool chain_wants_response(const struct chain *c);
/* True after access: some collected plugin filters bodies (else the host may splice). */
bool chain_wants_body_filter(const struct chain *c);

/* Never wait.  header_filter works on response.status/headers; it may replace the response by
 * exchange->answer (exit in header_filter): then CHAIN_ANSWER, and answer.body is what
 * body_filter gets to see. */
enum chain_verdict chain_header_filter(struct chain *c);
/* exchange->chunk / chunk_is_last in and out.  The result is valid until the next call. */
void chain_body_filter(struct chain *c);
void chain_log(struct chain *c);
