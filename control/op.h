/* SPDX-License-Identifier: Apache-2.0
 *
 * One operation = one store transaction.  An operation that needs sluice-check runs again
 * from its start once the verdicts are there, so that no lock is held while a child works
 * and whatever else changed meanwhile is seen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "control/fault.h"
#include "control/model.h"
#include "control/store.h"
#include "control/verdicts.h"

struct event_base;
struct op_runner;

/* What an op_fn and everything below it returns beside 0 and -errno (op->why). */
enum {
	OP_E_REFUSED = 1, /* op->fault says why */
	OP_E_WAIT = 2,    /* op->verdicts lacks one */
	OP_E_NONE = 3,    /* there is no such entity */
};

struct op {
	struct model *model;
	struct store_txn *txn;
	struct verdicts *verdicts; /* NULL in a read */
	int64_t now_s;
	struct fault fault;
	struct why why;
};

typedef int op_fn(struct op *op, void *arg);
/* r as from op_fn, after the commit; op->fault is filled whenever r != 0. */
typedef void op_done_fn(void *arg, int r, struct op *op);

struct op_request {
	op_fn *run; /* may be called several times */
	op_done_fn *done;
	void (*forget)(void *arg); /* instead of done, when the runner goes; NULL: arg is not its */
	void *arg;
	const char *what; /* for the log: "POST /services from 127.0.0.1"; borrowed until done */
};

/* changed: called after each commit that made a generation. */
int op_runner_new(struct op_runner **ret, struct model *model, struct event_base *base,
		const char *check_program, void (*changed)(void *arg), void *arg);
/* Operations that wait are forgotten: forget is called, done is not. */
void op_runner_free(struct op_runner *runner);
SL_DEFINE_AUTO(op_runner);

/* done may be called before this returns. */
void op_start(struct op_runner *runner, const struct op_request *request);
/* In a read transaction, at once.  The caller calls op_done(). */
int op_read(struct model *model, op_fn *run, void *arg, struct op *op);
void op_done(struct op *op);

/* Folds a negative store error into op->why.  Returns r. */
int op_store(struct op *op, int r);
