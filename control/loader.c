/* SPDX-License-Identifier: Apache-2.0 */
#include "control/loader.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hex.h"
#include "base/log.h"
#include "control/loader_apply.h"

#define FILE_MAX ((size_t)256 << 20)
#define HASH_NOTE "declarative_sha256"

struct loader {
	uint32_t magic;
	struct model *model;
	struct op_runner *runner;
	struct job *job;     /* at most one */
	char *awaiting_path; /* asked for while a job ran: loaded after it; NULL: none */
};
#define LOADER_MAGIC SL_MAGIC('L', 'O', 'A', 'D')

struct job {
	struct loader *loader;
	struct declarative d;
	uint8_t sha[STORE_SHA_BYTES];
	char *name, *what, *text;
	bool is_flatten, is_answered;
	json_t *entities; /* of the answer */
	void (*done)(void *arg, int status, json_t *body);
	void *arg;
};

int loader_new(struct loader **ret, struct model *model, struct op_runner *runner)
{
	struct loader *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->magic = LOADER_MAGIC;
	l->model = model;
	l->runner = runner;
	*ret = l;
	return 0;
}

static void job_free(struct job *job)
{
	declarative_done(&job->d);
	json_decref(job->entities);
	free(job->name);
	free(job->what);
	free(job->text);
	free(job);
	malloc_trim(0); /* a large file takes gigabytes, and the next may be a year away */
}

void loader_free(struct loader *l)
{
	if (l == NULL)
		return;
	sl_check(l, LOADER_MAGIC);
	if (l->job != NULL)
		job_free(l->job);
	free(l->awaiting_path);
	l->magic = 0;
	free(l);
}

/* ---- one configuration ---- */

static int collect(struct op *op, struct job *job)
{
	struct store_entity e;
	int r = STORE_E_NONE;

	json_decref(job->entities);
	job->entities = json_object();
	for (enum entity_type t = 0; t < ENTITY_COUNT; t++) {
		const struct entity_def *def = entity_def(t);
		json_t *group = json_object();
		char at[UUID_TEXT_BYTES] = "";

		while ((r = store_next(op->txn, def->kind, at, &e)) == 0) {
			memcpy(at, e.id, sizeof(at));
			json_object_set_new(group, at, json_loadb(e.json.p, e.json.n, 0, NULL));
		}
		if (json_object_size(group) != 0)
			json_object_set(job->entities, def->name, group);
		json_decref(group);
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static int run(struct op *op, void *arg)
{
	struct job *job = arg;
	int r = json_array_size(job->d.errors) != 0 && job->d.n == 0 ? OP_E_REFUSED
								     : loader_bring(op, &job->d);

	if (r == 0)
		r = op_store(op, store_note_put(op->txn, HASH_NOTE,
						 (struct str){(char *)job->sha, sizeof(job->sha)}));
	return r == 0 && job->is_answered ? collect(op, job) : r;
}

static void load_awaiting(struct loader *l)
{
	sl_auto_mem char *path = l->awaiting_path;

	l->awaiting_path = NULL;
	if (path != NULL)
		loader_load_file(l, path);
}

static void finished(void *arg, int r, struct op *op)
{
	struct job *job = arg;
	struct loader *l = job->loader;
	json_t *body = NULL;

	l->job = NULL;
	if (r == 0) {
		job->done(job->arg, 201, job->entities);
	} else if (r == OP_E_REFUSED && json_array_size(job->d.errors) != 0) {
		declarative_sort_errors(&job->d);
		body = loader_error_body(&job->d, job->name, job->is_flatten);
		job->done(job->arg, 400, body);
	} else {
		job->done(job->arg, op->fault.status, op->fault.body);
	}
	json_decref(body);
	job_free(job);
	load_awaiting(l);
}

static bool is_loaded(struct loader *l, const uint8_t sha[STORE_SHA_BYTES])
{
	sl_auto(store_txn) t = NULL;
	struct str note;

	return store_begin(l->model->store, false, &t, NULL) == 0 &&
	       store_note_get(t, HASH_NOTE, &note) == 0 && note.n == STORE_SHA_BYTES &&
	       memcmp(note.p, sha, STORE_SHA_BYTES) == 0;
}

static struct job *job_new(struct loader *l, const struct loader_request *request)
{
	struct job *job = calloc(1, sizeof(*job));
	struct why why = WHY_NONE;

	if (job == NULL)
		return NULL;
	job->loader = l;
	job->name = strdup(request->name);
	job->what = strdup(request->what);
	job->is_flatten = request->is_flatten;
	job->is_answered = request->is_answered;
	job->done = request->done;
	job->arg = request->arg;
	store_sha256(request->text, job->sha);
	if (job->name != NULL && job->what != NULL &&
			declarative_parse(&job->d, request->text, &why) == 0)
		return job;
	job_free(job);
	return NULL;
}

int loader_apply(struct loader *l, const struct loader_request *request)
{
	uint8_t sha[STORE_SHA_BYTES];
	struct job *job;

	sl_check(l, LOADER_MAGIC);
	if (l->job != NULL)
		return -EBUSY;
	store_sha256(request->text, sha);
	if (request->is_check_hash && is_loaded(l, sha)) {
		request->done(request->arg, 304, NULL);
		return 0;
	}
	job = job_new(l, request);
	if (job == NULL)
		return -ENOMEM;
	l->job = job;
	op_start(l->runner, &(struct op_request){.run = run,
					    .done = finished,
					    .arg = job,
					    .what = job->what});
	return 0;
}

/* ---- the file ---- */

static void log_outcome(void *arg, int status, json_t *body)
{
	const json_t *list = json_object_get(body, "errors"), *error;
	const char *message = json_string_value(json_object_get(body, "message"));
	sl_auto_mem char *path = arg;
	char text[1500];
	size_t i;

	if (status < 300) {
		log_notice("declarative configuration loaded", "file=%s", path);
		return;
	}
	json_array_foreach (list, i, error) {
		sl_auto_mem char *line = loader_error_line(error, path);

		log_err("declarative configuration", "error=%s",
				log_quote(text, sizeof(text), str_of(line)));
	}
	if (list == NULL)
		log_err("declarative configuration", "error=%s",
				log_quote(text, sizeof(text), str_of(message)));
	log_err("declarative configuration refused; the one before goes on serving",
			"file=%s errors=%zu", path, json_array_size(list));
}

static int read_file(const char *path, struct buf *ret)
{
	sl_auto_file FILE *f = fopen(path, "re");
	char part[65536];
	size_t n;

	if (f == NULL)
		return -errno;
	while ((n = fread(part, 1, sizeof(part), f)) != 0) {
		if (ret->n + n > FILE_MAX)
			return -EFBIG;
		buf_add(ret, part, n);
	}
	if (ferror(f) != 0)
		return -EIO;
	return ret->is_failed ? -ENOMEM : 0;
}

/* What the file says by then is what counts, however often it was asked for. */
static void load_later(struct loader *l, const char *path)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return;
	free(l->awaiting_path);
	l->awaiting_path = copy;
	log_notice("declarative configuration is loaded after the one that is being loaded",
			"file=%s", path);
}

void loader_load_file(struct loader *l, const char *path)
{
	struct loader_request request = {.name = path, .what = "the declarative file"};
	sl_auto_buf text = {0};
	int r;

	sl_check(l, LOADER_MAGIC);
	if (l->job != NULL) {
		load_later(l, path);
		return;
	}
	r = read_file(path, &text);
	if (r != 0) {
		log_err("declarative configuration cannot be read", "file=%s error=\"%s\"", path,
				strerror(-r));
		return;
	}
	request.text = text.n != 0 ? buf_str(&text) : STR("");
	request.done = log_outcome;
	request.arg = strdup(path);
	r = loader_apply(l, &request);
	if (r != 0) {
		log_err("declarative configuration not loaded", "file=%s error=\"%s\"", path,
				strerror(-r));
		free(request.arg);
	}
}
