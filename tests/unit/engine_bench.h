/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine on a snapshot of its own, with plugins written in place, and one exchange to run
 * them on.  What tests of chain and PDK share.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin/chain.h"
#include "plugin/engine.h"
#include "plugin/exchange.h"
#include "shm/breaker.h"
#include "shm/dict.h"
#include "shm/snapshot_write.h"

/* Of the bench's breaker; the window is a minute. */
#define BENCH_BREAKER_TRIPS 3
#define BENCH_BREAKER_RETRY_MS 100

struct bench {
	char root[64], dir[96];
	struct snapshot_writer *writer;
	struct bench_put { /* until the next commit; n == 0: a removal */
		uint32_t kind;
		char id[64];
		uint64_t version;
		uint8_t bytes[4096];
		size_t n;
	} puts[16];
	unsigned n_puts;
	uint64_t generation, next_version;
	struct engine *engine;
	struct engine_conf conf;
	struct dict *dict;
	int dict_fd;
	struct breaker *breaker;
	int breaker_fd;
	struct arena *arena;
	struct exchange x;
	struct chain *chain;
	struct str late_body; /* what want_body() will deliver */
	unsigned n_reports, n_refused;
	struct engine_report last_report;
};

/* cmocka set-up and tear-down of one test. */
int bench_process(void **state);
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* A plugin whose handler is `methods` (Lua, defining functions of P), of that priority. */
void bench_plugin(struct bench *b, const char *name, int priority, const char *methods);
/* The same with limits and schema (JSON form; NULL = none); cpu_ms, memory_mb 0 = default. */
void bench_plugin_with(struct bench *b, const char *name, int priority, const char *methods,
		const char *schema_json, uint32_t cpu_ms, uint32_t memory_mb);

struct bench_scope {
	const char *route, *service, *consumer, *condition, *on_error, *config, *protocol;
};
/* An instance of a plugin; a scope of zeros = global. */
void bench_instance(struct bench *b, const char *plugin, const char *id, struct bench_scope s);
void bench_remove(struct bench *b, uint32_t kind, const char *id);
/* Commits what was put and moves the engine there. */
void bench_commit(struct bench *b);

/* A fresh exchange: GET http://example.com:8000<target>, and its chain. */
void bench_request(struct bench *b, const char *target);
/* Routes it: ids, "" = none. */
void bench_route(struct bench *b, const char *route, const char *service);
/* rewrite, routing to ("r", "s"), access; waits are served from late_body. */
enum chain_verdict bench_run(struct bench *b, const char *target);
/* Resumes until it no longer waits: a body comes from late_body, who sleeps goes on at once. */
enum chain_verdict bench_serve(struct bench *b, enum chain_verdict verdict);
/* Ends the request: chain and arena. */
void bench_end(struct bench *b);

/* One plugin "p" with that code in its access method, run once; its answer's body. */
const char *bench_eval(struct bench *b, const char *code);
/* What a slice holds, NUL-terminated, until the next call. */
const char *bench_text(struct str s);
/* kong.ctx.shared[name] as text; "nil" when absent. */
const char *bench_shared(struct bench *b, const char *name);

#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, bench_set_up, bench_tear_down)
