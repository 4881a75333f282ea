/* SPDX-License-Identifier: Apache-2.0 */
#include "control/op.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"

#define OP_ROUNDS_MAX 8

struct op_waiting {
	TAILQ_ENTRY(op_waiting) entry;
	struct op_runner *runner;
	struct op_request request;
	struct verdicts *verdicts;
	unsigned rounds;
};

struct op_runner {
	uint32_t magic;
	struct model *model;
	struct event_base *base;
	struct check_client_conf check;
	void (*changed)(void *arg);
	void *arg;
	TAILQ_HEAD(, op_waiting) waiting;
};
#define OP_RUNNER_MAGIC SL_MAGIC('O', 'P', 'R', 'N')

int op_runner_new(struct op_runner **ret, struct model *model, struct event_base *base,
		const char *check_program, void (*changed)(void *arg), void *arg)
{
	struct op_runner *runner = calloc(1, sizeof(*runner));

	if (runner == NULL)
		return -ENOMEM;
	runner->magic = OP_RUNNER_MAGIC;
	runner->model = model;
	runner->base = base;
	runner->check.program = check_program;
	runner->check.deadline_ms = model->conf->plugin_check_deadline_ms;
	runner->changed = changed;
	runner->arg = arg;
	TAILQ_INIT(&runner->waiting);
	*ret = runner;
	return 0;
}

static void waiting_free(struct op_waiting *w)
{
	TAILQ_REMOVE(&w->runner->waiting, w, entry);
	verdicts_free(w->verdicts);
	free(w);
}

void op_runner_free(struct op_runner *runner)
{
	struct op_waiting *w;

	if (runner == NULL)
		return;
	sl_check(runner, OP_RUNNER_MAGIC);
	while ((w = TAILQ_FIRST(&runner->waiting)) != NULL) {
		if (w->request.forget != NULL)
			w->request.forget(w->request.arg);
		waiting_free(w);
	}
	runner->magic = 0;
	free(runner);
}

int op_store(struct op *op, int r)
{
	if (r < 0 && op->why.text[0] == '\0')
		why_errno(&op->why, -r, "the store of sluice-control");
	return r;
}

void op_done(struct op *op)
{
	store_txn_free(op->txn);
	op->txn = NULL;
	fault_done(&op->fault);
}

static void op_fill_fault(struct op *op, int r)
{
	if (r < 0)
		fault_store(&op->fault, &op->why);
	else if (r == OP_E_NONE)
		fault_plain(&op->fault, 404, "Not found");
}

static void op_log(const struct op_runner *runner, const struct op_waiting *w)
{
	char text[512];

	log_notice("configuration changed", "generation=%" PRIu64 " by=%s",
			store_generation(runner->model->store),
			log_quote(text, sizeof(text), str_of(w->request.what)));
}

static int op_commit(struct op *op)
{
	struct store_txn *txn = sl_steal(op->txn);

	return store_commit(txn, &op->why);
}

static void op_try(void *arg);

static int op_try_once(struct op_waiting *w, struct op *op, bool *ret_changed)
{
	int r = store_begin(op->model->store, true, &op->txn, &op->why);

	if (r == 0)
		r = w->request.run(op, w->request.arg);
	if (r == 0 && verdicts_is_waiting(w->verdicts))
		r = OP_E_WAIT;
	if (r == 0) {
		*ret_changed = store_txn_is_changed(op->txn);
		r = op_commit(op);
	}
	if (op->txn != NULL)
		store_txn_free(sl_steal(op->txn));
	return r;
}

static void op_try(void *arg)
{
	struct op_waiting *w = arg;
	struct op_runner *runner = w->runner;
	struct op op = {.model = runner->model, .verdicts = w->verdicts, .now_s = time(NULL)};
	bool is_changed = false;
	int r = op_try_once(w, &op, &is_changed);

	if (r == OP_E_WAIT && w->rounds++ < OP_ROUNDS_MAX) {
		op_done(&op);
		verdicts_run(w->verdicts, op_try, w);
		return;
	}
	if (r == OP_E_WAIT) {
		fault_plain(&op.fault, 503, "the configuration kept changing meanwhile; try again");
		r = OP_E_REFUSED;
	}
	op_fill_fault(&op, r);
	if (r == 0 && is_changed) {
		op_log(runner, w);
		runner->changed(runner->arg);
	}
	w->request.done(w->request.arg, r, &op);
	op_done(&op);
	waiting_free(w);
}

void op_start(struct op_runner *runner, const struct op_request *request)
{
	struct op_waiting *w = calloc(1, sizeof(*w));
	struct op op = {.model = runner->model};

	sl_check(runner, OP_RUNNER_MAGIC);
	if (w != NULL && verdicts_new(&w->verdicts, runner->base, &runner->check) == 0) {
		w->runner = runner;
		w->request = *request;
		TAILQ_INSERT_TAIL(&runner->waiting, w, entry);
		op_try(w);
		return;
	}
	free(w);
	why_errno(&op.why, ENOMEM, "cannot start the operation");
	op_fill_fault(&op, -ENOMEM);
	request->done(request->arg, -ENOMEM, &op);
	op_done(&op);
}

int op_read(struct model *model, op_fn *run, void *arg, struct op *op)
{
	int r;

	*op = (struct op){.model = model, .now_s = time(NULL)};
	r = store_begin(model->store, false, &op->txn, &op->why);
	if (r == 0)
		r = run(op, arg);
	op_fill_fault(op, r);
	return r;
}
