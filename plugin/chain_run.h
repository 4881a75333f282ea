/* SPDX-License-Identifier: Apache-2.0
 *
 * One method of one plugin, run for one request: arguments, budgets, what to do with an
 * error.  Private to the chain.
 */
#pragma once

#include "plugin/chain.h"
#include "plugin/chain_thread.h"
#include "plugin/plan.h"

/* What the plugin's breaker said when the request first came to it: it holds to the end. */
enum chain_admission { CHAIN_NOT_ASKED, CHAIN_ADMITTED, CHAIN_HELD };

/* A plugin of this request: collected, or run in rewrite. */
struct chain_slot {
	struct pdk_slot pdk;
	struct engine_version *version;   /* owned reference */
	struct engine_instance *instance; /* owned reference */
	bool has_run_access;
	enum chain_admission admission;
	uint64_t ticket; /* this request tries a suspended plugin (shm/breaker); 0 = it does not */
	bool has_run;    /* a phase of it ended, well or by an error of its own */
	struct span *span, *body_span, *was_active; /* of the trace; NULL: none */
	struct engine_box *ctx_box; /* owned reference: where pdk.*_ref live; NULL */
};

struct chain {
	uint32_t magic;
	struct engine *engine;
	struct exchange *x;
	struct plan *plan;      /* owned reference */
	struct snap_view *view; /* owned reference, until access is over */
	struct chain_slot *v;
	uint32_t n, cap;
	uint32_t *order; /* collected slots in running order */
	uint32_t n_order;
	uint32_t phases; /* of the collected plugins */
	enum phase phase;
	uint32_t at; /* the next plan entry (rewrite, access) or place in order (response) */
	bool is_access_begun; /* else the later phases run the globals */
	bool is_collected;
	struct chain_threads threads; /* of the method that waits, in parked_box; none: none does */
	struct engine_box *parked_box; /* owned reference */
	struct pdk_spent spent;        /* by them */
	uint32_t parked_slot;
	uint64_t clock_ns; /* when the run before ended, if the next may begin at it; 0 = not */
	/* Of the parked run, monotonic: its phase began (moved on by what the client took for its
	 * body), it was parked. */
	uint64_t began_ns, parked_ns;
	bool is_client_waited_for;
};

enum chain_outcome {
	CHAIN_RUN_DONE,   /* or failed, and the phase goes on */
	CHAIN_RUN_WAITS,  /* c->threads are set */
	CHAIN_RUN_ANSWER, /* exchange->answer is set: no later plugin of this phase runs */
};

/* Runs phase of slot at index; a method that is not implemented is CHAIN_RUN_DONE. */
enum chain_outcome chain_run(struct chain *c, uint32_t slot, enum phase phase);
/* Goes on with the parked run. */
enum chain_outcome chain_run_on(struct chain *c);
/* Runs the slot's retry function; true: it gave a new target. */
bool chain_run_retry(struct chain *c, uint32_t slot);
/* Ends the parked run without an outcome. */
void chain_run_drop(struct chain *c);
/* As chain_run would have it after an error of its own making; text for the log. */
enum chain_outcome chain_run_fail(struct chain *c, uint32_t slot, const char *text);
/* Loads the slot's code while the view is at hand.  False: it cannot be. */
bool chain_run_prepare(struct chain *c, uint32_t slot);
/* The phase is not run: the slot's plugin is suspended. */
enum chain_outcome chain_run_hold(struct chain *c, const struct chain_slot *s);
/* Gives back what the slot holds. */
void chain_slot_done(struct chain_slot *s);
