/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks sluice-check (a fresh jailed process per verdict) about a plugin.  Used by
 * sluice-control at write time and by sluiced before activation; links no Lua.
 *
 * Wire, both ways one JSON object over the child's stdin/stdout:
 *
 *	→ {"name":s, "user":s?, "schema":s|null, "handler":s|null, "untrusted_lua":"strict"|"lax",
 *	   "limits":{"cpu_ms":n,"memory_mb":n,"source_kb":n}, "configs":[{"id":s,"config":{…}}],
 *	   "want_bytecode":bool}
 *	   user: whom the child becomes when it starts as root ("nobody" when absent)
 *	← {"ok":bool,
 *	   "errors":[{"field":"handler"|"schema"|"name"|"config","file":"handler.lua","line":n,
 *	              "message":s,"config_id":s?}],
 *	   "warnings":[{…as in errors…}],   (worth a word, no reason to refuse: a VERSION that
 *	              is missing, a method of a phase that never runs here, …)
 *	   "priority":n, "version":s, "phases":["access",…], "schema":{JSON form},
 *	   "handler_bytecode":base64?, "library":s}
 */
#pragma once

#include <stdint.h>

#include <jansson.h>

#include "base/why.h"

struct event_base;
struct check_call;

struct check_client_conf {
	const char *program;  /* path of sluice-check */
	uint32_t deadline_ms; /* 0 = 5000; then the child is killed and the verdict is "deadline" */
};

/* verdict: borrowed, the ← object; NULL with why when there is none (could not start, died,
 * deadline, garbage).  Called once, from the event loop. */
typedef void check_done_fn(void *arg, json_t *verdict, const struct why *why);

/* Starts it.  request: borrowed.  0 and *ret (NULL ret allowed), or -errno with why and no
 * call of done. */
int check_start(struct check_call **ret, struct event_base *base,
		const struct check_client_conf *conf, const json_t *request, check_done_fn *done,
		void *arg, struct why *why);
/* Kills the child; done will not be called.  NULL allowed.  Not from inside done: the call is
 * over by then. */
void check_cancel(struct check_call *call);

/* The same, blocking (declarative loading, tools): new reference, or NULL with why. */
json_t *check_run(const struct check_client_conf *conf, const json_t *request, struct why *why);
