/* SPDX-License-Identifier: Apache-2.0
 *
 * Health of upstreams, as the workers of this node see it: /upstreams/{u}/health,
 * /upstreams/{u}/targets/{t}[/{address}]/healthy|unhealthy.  sluice-control asks the master of its
 * node; one without workers tells what the configuration alone says.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include "base/buf.h"
#include "base/hex.h"
#include "control/admin_path.h"
#include "control/node_status.h"
#include "control/upstream.h"
#include "control/write.h"

#define HEALTHY "HEALTHY"
#define UNHEALTHY "UNHEALTHY"
#define OFF "HEALTHCHECKS_OFF"
#define DNS_ERROR "DNS_ERROR"

/* ---- what the store says ---- */

struct question {
	struct admin_call *call;
	json_t *upstream, *targets;
	char address[80];
};

static void question_free(struct question *q)
{
	json_decref(q->upstream);
	json_decref(q->targets);
	free(q);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static unsigned target_reference(void)
{
	const struct entity_def *def = entity_def(ENTITY_TARGETS);
	unsigned i = 0;

	while (def->foreign[i].field != NULL && def->foreign[i].to != ENTITY_UPSTREAMS)
		i++;
	return i;
}

static int read_upstream(struct op *op, struct question *q, char id[UUID_TEXT_BYTES])
{
	int r = read_id(op, ENTITY_UPSTREAMS, q->call->seg[1], id);

	return r == 0 ? read_entity(op, ENTITY_UPSTREAMS, id, &q->upstream) : r;
}

static int read_all(struct op *op, void *arg)
{
	struct question *q = arg;
	char id[UUID_TEXT_BYTES], at[UUID_TEXT_BYTES] = "";
	int r = read_upstream(op, q, id);
	const struct store_ref ref = {
			entity_def(ENTITY_TARGETS)->kind, (uint8_t)target_reference(), id};

	q->targets = json_array();
	while (r == 0) {
		json_t *target;

		r = store_ref_next(op->txn, &ref, at, at);
		if (r == 0)
			r = read_entity(op, ENTITY_TARGETS, at, &target);
		if (r == 0)
			json_array_append_new(q->targets, target);
	}
	return r == STORE_E_NONE ? 0 : r < 0 ? op_store(op, r) : r;
}

static int read_one(struct op *op, void *arg)
{
	struct question *q = arg;
	char id[UUID_TEXT_BYTES], target[UUID_TEXT_BYTES];
	int r = read_upstream(op, q, id);

	if (r == 0 && uuid_is_valid(q->call->seg[3]))
		r = read_id(op, ENTITY_TARGETS, q->call->seg[3], target);
	else if (r == 0)
		r = upstream_target_id(op, id, q->call->seg[3], target);
	if (r == 0)
		r = read_entity(op, ENTITY_TARGETS, target, &q->targets);
	if (r == 0 && strcmp(id, text_of(json_object_get(q->targets, "upstream"), "id")) != 0)
		r = OP_E_NONE;
	return r;
}

/* NULL: the call is over. */
static struct question *ask(struct admin_call *call, op_fn *read)
{
	struct question *q = calloc(1, sizeof(*q));
	struct op op;
	int r;

	if (q == NULL) {
		admin_message(call, 500, "out of memory");
		return NULL;
	}
	q->call = call;
	r = op_read(call->parts->model, read, q, &op);
	if (r != 0) {
		admin_refuse(call, &op.fault);
		question_free(q);
		q = NULL;
	}
	op_done(&op);
	return q;
}

/* ---- GET /upstreams/{u}/health ---- */

static double number(const json_t *checks, const char *kind, const char *side, const char *key)
{
	const json_t *sides = json_object_get(json_object_get(checks, kind), side);

	return json_number_value(json_object_get(sides, key));
}

static bool is_checked(const json_t *upstream)
{
	const json_t *c = json_object_get(upstream, "healthchecks");

	return number(c, "active", "healthy", "interval") > 0 ||
	       number(c, "active", "unhealthy", "interval") > 0 ||
	       number(c, "passive", "unhealthy", "tcp_failures") > 0 ||
	       number(c, "passive", "unhealthy", "http_failures") > 0 ||
	       number(c, "passive", "unhealthy", "timeouts") > 0;
}

static json_t *address_json(const json_t *seen, json_int_t weight)
{
	const char *text = text_of(seen, "address"), *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;

	return json_pack("{s:s%, s:i, s:s, s:I, s:O, s:O}", "ip", text, n, "port",
			colon != NULL ? atoi(colon + 1) : 0, "health", text_of(seen, "health"),
			"weight", weight, "workers_healthy",
			json_object_get(seen, "workers_healthy"), "workers_unhealthy",
			json_object_get(seen, "workers_unhealthy"));
}

/* What several addresses come to. */
struct sum {
	json_int_t total, available;
	const char *health;
};

static struct sum add_up(const json_t *seen, json_int_t weight, bool is_checked, json_t *addresses)
{
	struct sum s = {.health = is_checked ? HEALTHY : OFF};
	unsigned n_bad = 0;
	const json_t *one;
	size_t i;

	json_array_foreach (seen, i, one) {
		const char *health = text_of(one, "health");

		if (strcmp(health, DNS_ERROR) == 0) {
			s.health = DNS_ERROR;
			return s;
		}
		n_bad += strcmp(health, UNHEALTHY) == 0;
		s.total += weight;
		s.available += strcmp(health, UNHEALTHY) == 0 ? 0 : weight;
		json_array_append_new(addresses, address_json(one, weight));
	}
	if (json_array_size(seen) == 0)
		s.total = s.available = weight; /* nobody has used it: as good as any */
	else if (n_bad == json_array_size(seen))
		s.health = UNHEALTHY;
	return s;
}

static void add_health(json_t *target, const json_t *node, bool is_checked, struct sum *all)
{
	const char *text = text_of(target, "target"), *colon = strrchr(text, ':');
	json_int_t weight = json_integer_value(json_object_get(target, "weight"));
	json_t *addresses = json_array();
	struct sum s = add_up(json_object_get(node, text), weight, is_checked, addresses);

	all->total += s.total;
	all->available += s.available;
	json_object_set_new(target, "health", json_string(s.health));
	json_object_set_new(target, "data",
			json_pack("{s:s%, s:i, s:I, s:{s:I, s:I, s:I}, s:o}", "host", text,
					colon != NULL ? (size_t)(colon - text) : strlen(text),
					"port", colon != NULL ? atoi(colon + 1) : 0, "nodeWeight",
					weight, "weight", "total", s.total, "available",
					s.available, "unavailable", s.total - s.available,
					"addresses", addresses));
}

/* Of the upstream as a whole: it serves while enough weight is healthy. */
static json_t *balancer_health(const struct question *q, const struct sum *all, bool is_checked)
{
	double threshold = json_number_value(
			json_object_get(json_object_get(q->upstream, "healthchecks"), "threshold"));
	const char *health = is_checked ? HEALTHY : OFF;

	if (all->available == 0 || (double)all->available * 100 < threshold * (double)all->total)
		health = UNHEALTHY;
	return json_pack("{s:O, s:s, s:{s:{s:I, s:I, s:I}}}", "id",
			json_object_get(q->upstream, "id"), "health", health, "details", "weight",
			"total", all->total, "available", all->available, "unavailable",
			all->total - all->available);
}

static void health_reply(void *arg, json_t *node)
{
	struct question *q = arg;
	bool is_on = is_checked(q->upstream);
	const char *wanted = admin_query(q->call, "balancer_health");
	struct sum all = {.health = NULL};
	json_t *target, *data;
	size_t i;

	json_array_foreach (q->targets, i, target)
		add_health(target, node, is_on, &all);
	data = wanted != NULL && strcmp(wanted, "1") == 0 ? balancer_health(q, &all, is_on)
							  : json_incref(q->targets);
	admin_reply(q->call, 200,
			json_pack("{s:o, s:n, s:s}", "data", data, "next", "node_id",
					q->call->parts->node_id));
	question_free(q);
}

void admin_health_upstream(struct admin_call *call)
{
	struct question *q = ask(call, read_all);
	char path[400];

	if (q == NULL)
		return;
	snprintf(path, sizeof(path), "/upstreams/health?upstream=%s", text_of(q->upstream, "name"));
	node_status_get(call->parts->base, call->parts->model->conf, path, health_reply, q);
}

/* ---- PUT …/healthy, …/unhealthy ---- */

static void set_reply(void *arg, json_t *node)
{
	struct question *q = arg;

	if (node != NULL)
		admin_reply(q->call, 204, NULL);
	else
		admin_message(q->call, 503,
				"the workers of this node do not have this target, or there are "
				"none: ask the node that serves it");
	question_free(q);
}

static void set_health(struct admin_call *call, const char *health)
{
	struct question *q = ask(call, read_one);
	sl_auto_mem char *target = NULL, *address = NULL;
	sl_auto_buf path = {0};

	if (q == NULL)
		return;
	if (call->seg_n == 6)
		snprintf(q->address, sizeof(q->address), "%.*s", (int)call->seg[4].n,
				call->seg[4].p);
	target = evhttp_encode_uri(text_of(q->targets, "target"));
	address = evhttp_encode_uri(q->address);
	buf_printf(&path, "/upstreams/health?upstream=%s&target=%s&address=%s&health=%s",
			text_of(q->upstream, "name"), target != NULL ? target : "",
			address != NULL ? address : "", health);
	node_status_post(call->parts->base, call->parts->model->conf,
			buf_z(&path) != NULL ? path.p : "", set_reply, q);
}

void admin_health_set_healthy(struct admin_call *call)
{
	set_health(call, "healthy");
}

void admin_health_set_unhealthy(struct admin_call *call)
{
	set_health(call, "unhealthy");
}
