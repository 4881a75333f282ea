/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-check's word on plugin code before it may serve: asked once per (version, configs,
 * limits), a few at a time, remembered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/conf.h"

struct event_base;
struct vet;

struct vet_verdict {
	bool is_ok;
	/* refused */
	const char *code; /* Ack error_code, static */
	struct why why;   /* file, line, text */
	/* accepted */
	int32_t priority;
	uint32_t phases; /* PHASE_BIT */
	char *version;   /* the handler's VERSION */
	char *schema_json;
	char *library;     /* the LuaJIT that bytecode is for */
	uint8_t *bytecode; /* n_bytecode == 0: none was made */
	size_t n_bytecode;
	uint8_t bytecode_sha256[32];
};

struct vet_question {
	const char *name;
	struct str handler, schema;
	uint32_t cpu_ms, memory_mb; /* 0 = the node's */
	json_t *configs;            /* [{"id":s,"config":{…}}]; reference taken over */
};

/* verdict: borrowed.  From the event loop, or from within vet_ask when it is known. */
typedef void vet_done_fn(void *arg, void *item, const struct vet_verdict *verdict);

/* program: path of sluice-check; conf and program: borrowed, must outlive it. */
int vet_new(struct vet **ret, struct event_base *base, const struct conf *conf, const char *program,
		vet_done_fn *done, void *arg);
void vet_free(struct vet *v);
SL_DEFINE_AUTO(vet);

/* item: handed back to done.  The question's slices are borrowed for the call.  0, or -ENOMEM
 * (then done is not called). */
int vet_ask(struct vet *v, const struct vet_question *q, void *item);
/* Forgets what is asked and not answered. */
void vet_cancel(struct vet *v);
/* Checks run, and questions answered from memory. */
void vet_counts(const struct vet *v, uint64_t *ret_runs, uint64_t *ret_remembered);
