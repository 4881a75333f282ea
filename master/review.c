/* SPDX-License-Identifier: Apache-2.0 */
#include "master/review.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "master/apply.h"
#include "master/blobs.h"
#include "master/vet.h"
#include "plugin/limits.h"

struct review {
	struct vet *vet;
	struct blobs *blobs;
	const struct conf *conf;
	struct snapshot_writer *writer;
	const struct review_events *events;
	void *arg;

	struct plan *plan; /* NULL: nothing under way */
	struct snap_view *held;
	bool is_fetching;
	size_t n_open; /* verdicts to come, and one while asking */
	int error;
	struct why why;
};

static void finish_one(struct review *r)
{
	if (--r->n_open != 0)
		return;
	r->plan = NULL;
	r->events->done(r->arg, r->error, &r->why);
}

static int store_sources(struct review *r, const struct plan_item *item, struct why *why)
{
	const ProtobufCBinaryData *hashes[] = {
			&item->plugin->handler_sha256, &item->plugin->schema_sha256};
	const char *refusal;
	int err = 0;

	for (size_t i = 0; err == 0 && i < 2; i++) {
		struct str blob = blobs_get(r->blobs, hashes[i]->data, &refusal);

		if (blob.p != NULL)
			err = snapshot_put_blob(r->writer, hashes[i]->data, blob, why);
	}
	return err;
}

static void on_verdict(void *arg, void *what, const struct vet_verdict *verdict)
{
	struct review *r = arg;
	struct plan_item *item = what;
	struct why why = WHY_NONE;
	int err = apply_verdict(item, verdict, r->writer, &why);

	if (err == 0 && item->state == PLAN_ACCEPTED)
		err = store_sources(r, item, &why);
	if (err != 0 && r->error == 0) {
		r->error = err;
		r->why = why;
	}
	finish_one(r);
}

int review_new(struct review **ret, struct event_base *base, const struct conf *conf,
		const char *program, struct snapshot_writer *w, const struct review_events *events,
		void *arg)
{
	sl_auto(review) r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->conf = conf;
	r->writer = w;
	r->events = events;
	r->arg = arg;
	if (vet_new(&r->vet, base, conf, program, on_verdict, r) < 0)
		return -ENOMEM;
	*ret = sl_steal(r);
	return 0;
}

void review_free(struct review *r)
{
	if (r == NULL)
		return;
	vet_free(r->vet);
	blobs_free(r->blobs);
	free(r);
}

void review_cancel(struct review *r)
{
	vet_cancel(r->vet);
	r->plan = NULL;
	r->is_fetching = false;
	r->n_open = 0;
}

bool review_is_fetching(const struct review *r)
{
	return r->is_fetching;
}

void review_counts(const struct review *r, uint64_t *ret_runs, uint64_t *ret_remembered)
{
	vet_counts(r->vet, ret_runs, ret_remembered);
}

/* ---- sources ---- */

static struct str source(const struct review *r, const uint8_t *sha256, const char **ret_refusal)
{
	struct str blob = blobs_get(r->blobs, sha256, ret_refusal);

	if (blob.p == NULL && *ret_refusal == NULL && r->held != NULL)
		blob = snap_blob(r->held, sha256);
	return blob;
}

static int want_source(struct review *r, const ProtobufCBinaryData *sha256, uint32_t bytes)
{
	const char *refusal;

	if (source(r, sha256->data, &refusal).p != NULL)
		return 0;
	return blobs_want(r->blobs, sha256->data, bytes);
}

/* false: the item is rejected. */
static bool find_source(const struct review *r, struct plan_item *item, const char *file,
		const ProtobufCBinaryData *sha256, uint32_t bytes, struct str *ret)
{
	const char *refusal;

	*ret = source(r, sha256->data, &refusal);
	if (ret->p == NULL && bytes == 0)
		*ret = STR("");
	if (ret->p == NULL)
		plan_reject(item, "hash", file, 0, "%s",
				refusal != NULL ? refusal : "the code did not come");
	else if (ret->n != bytes)
		plan_reject(item, "hash", file, 0, "%zu bytes came, %u were announced", ret->n,
				bytes);
	return item->state != PLAN_REJECTED;
}

/* ---- configs ---- */

struct config_walk {
	const struct plan *plan;
	const char *plugin;
	json_t *configs;
};

static void add_config(json_t *configs, const Sluice__Record__PluginInstance *i)
{
	json_t *config = json_loadb((const char *)i->config.data, i->config.len, 0, NULL);

	if (config == NULL)
		config = json_object();
	json_array_append_new(configs, json_pack("{s:s, s:o}", "id", i->id, "config", config));
}

static bool add_held(void *arg, struct str id, uint64_t version, struct str record)
{
	struct config_walk *w = arg;
	Sluice__Record__PluginInstance *i = sluice__record__plugin_instance__unpack(
			NULL, record.n, (const uint8_t *)record.p);

	(void)id;
	(void)version;
	if (i != NULL && strcmp(i->name, w->plugin) == 0 &&
			plan_find(w->plan, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, i->id) == NULL)
		add_config(w->configs, i);
	sluice__record__plugin_instance__free_unpacked(i, NULL);
	return true;
}

/* Of every instance of the plugin there will be after this Update. */
static json_t *collect_configs(const struct review *r, const char *plugin)
{
	struct config_walk w = {r->plan, plugin, json_array()};

	for (size_t i = 0; i < r->plan->n; i++) {
		const struct plan_item *item = &r->plan->items[i];

		if (item->instance != NULL && item->state == PLAN_PENDING &&
				strcmp(item->instance->name, plugin) == 0)
			add_config(w.configs, item->instance);
	}
	if (!r->plan->is_full && r->held != NULL)
		snap_each(r->held, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, add_held, &w);
	return w.configs;
}

/* ---- asking ---- */

static void ask(struct review *r, struct plan_item *item)
{
	const Sluice__Record__PluginCode *c = item->plugin;
	struct vet_question q = {.name = c->name};
	struct limits_policy policy;
	struct vm_limits limits;

	if (!find_source(r, item, "handler.lua", &c->handler_sha256, c->handler_bytes,
			    &q.handler) ||
			!find_source(r, item, "schema.lua", &c->schema_sha256, c->schema_bytes,
					&q.schema))
		return;
	limits_policy_of(r->conf, &policy);
	(void)limits_resolve(&policy, c->limits, NULL, &limits);
	q.cpu_ms = limits.cpu_ms;
	q.memory_mb = limits.memory_mb;
	q.configs = collect_configs(r, c->name);
	r->n_open++;
	if (vet_ask(r->vet, &q, item) < 0) {
		r->n_open--;
		plan_reject(item, "limit", NULL, 0, "out of memory while checking");
	}
}

static void ask_all(struct review *r)
{
	struct plan *p = r->plan;

	/* verdicts may come from within: not before the last question is asked */
	r->n_open = 1;
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].plugin != NULL && p->items[i].state == PLAN_PENDING)
			ask(r, &p->items[i]);
	}
	finish_one(r);
}

static bool are_plugins_wanted(const struct conf *conf)
{
	return conf->custom_plugin_streaming_enabled && strcmp(conf->untrusted_lua, "off") != 0;
}

static int want_sources(struct review *r, struct plan_item *item)
{
	const Sluice__Record__PluginCode *c = item->plugin;
	int err;

	if (!are_plugins_wanted(r->conf)) {
		plan_reject(item, "limit", NULL, 0,
				"this node runs no streamed plugins (untrusted_lua, "
				"custom_plugin_streaming_enabled)");
		return 0;
	}
	if (r->held != NULL && apply_known(item, r->held))
		return 0;
	err = want_source(r, &c->handler_sha256, c->handler_bytes);
	return err == 0 ? want_source(r, &c->schema_sha256, c->schema_bytes) : err;
}

int review_start(struct review *r, struct plan *p, struct snap_view *held)
{
	Sluice__Stream__V1__BlobRequest request = SLUICE__STREAM__V1__BLOB_REQUEST__INIT;
	int err = 0;

	blobs_free(r->blobs);
	r->blobs = NULL;
	err = blobs_new(&r->blobs);
	r->plan = p;
	r->held = held;
	r->error = 0;
	r->why = WHY_NONE;
	for (size_t i = 0; err == 0 && i < p->n; i++) {
		if (p->items[i].plugin != NULL && p->items[i].state == PLAN_PENDING)
			err = want_sources(r, &p->items[i]);
	}
	if (err < 0) {
		review_cancel(r);
		return err;
	}
	r->is_fetching = blobs_request(r->blobs, &request);
	request.nonce = p->update->nonce;
	if (r->is_fetching)
		r->events->fetch(r->arg, &request);
	else
		ask_all(r);
	return 0;
}

int review_chunk(struct review *r, const Sluice__Stream__V1__BlobChunk *chunk, struct why *why)
{
	int err;

	if (!r->is_fetching) {
		why_set(why, "BlobChunk", 0, "nothing was asked for");
		return -EPROTO;
	}
	err = blobs_chunk(r->blobs, chunk, why);
	if (err < 0 || !blobs_are_complete(r->blobs))
		return err;
	r->is_fetching = false;
	ask_all(r);
	return 0;
}
