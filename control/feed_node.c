/* SPDX-License-Identifier: Apache-2.0 */
#include "control/feed_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "control/feed_update.h"

int feed_node_new(struct feed_node **ret, struct feed *feed, const char *id)
{
	struct feed_node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->feed = feed;
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->verdicts = json_object();
	*ret = n;
	return 0;
}

void feed_node_free(struct feed_node *n)
{
	if (n->again != NULL)
		event_free(n->again);
	feed_update_free(n->update);
	json_decref(n->labels);
	json_decref(n->verdicts);
	free(n->hostname);
	free(n->version);
	free(n->address);
	free(n->refused_for);
	free(n->blobs);
	free(n);
}

static void replace(char **at, const char *text)
{
	free(*at);
	*at = strdup(text);
}

void feed_node_describe(
		struct feed_node *n, const Sluice__Stream__V1__Hello *hello, const char *address)
{
	replace(&n->hostname, hello->hostname);
	replace(&n->version, hello->version);
	replace(&n->address, address);
	json_decref(n->labels);
	n->labels = json_object();
	for (size_t i = 0; i < hello->n_labels; i++)
		json_object_set_new(n->labels, hello->labels[i]->name,
				json_string(hello->labels[i]->value));
	n->seen_s = time(NULL);
	n->said = hello->generation;
}

/* ---- verdicts ---- */

static const char *state_name(Sluice__Stream__V1__ResourceVerdict__State state)
{
	static const char *const names[] = {"unspecified", "active", "rejected", "removed"};

	return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : names[0];
}

static void verdict_key(uint32_t kind, const char *id, char *buf, size_t size)
{
	snprintf(buf, size, "%u:%s", kind, id);
}

/* Whatever the breaker does. */
static bool is_same_verdict(json_t *a, json_t *b)
{
	json_t *x = json_copy(a), *y = json_copy(b);
	bool is_same;

	json_object_del(x, "breaker");
	json_object_del(y, "breaker");
	is_same = y != NULL && json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return is_same;
}

static json_t *breaker_or_null(const json_t *verdict)
{
	const char *state = json_string_value(json_object_get(verdict, "breaker"));

	return state != NULL && state[0] != '\0' ? json_string(state) : json_null();
}

bool feed_node_judge(struct feed_node *n, const Sluice__Stream__V1__ResourceVerdict *v)
{
	bool is_removed = v->state == SLUICE__STREAM__V1__RESOURCE_VERDICT__STATE__REMOVED;
	bool is_plain = v->state == SLUICE__STREAM__V1__RESOURCE_VERDICT__STATE__ACTIVE &&
			v->kind != 4;
	char key[80];
	json_t *said, *before;
	bool is_new;

	verdict_key(v->kind, v->id, key, sizeof(key));
	if (is_removed || is_plain) { /* only refusals and plugins are worth keeping */
		json_object_del(n->verdicts, key);
		return false;
	}
	said = json_pack("{s:i, s:s, s:I, s:s, s:i, s:i, s:s, s:s, s:i, s:s, s:I, s:s}", "kind",
			(int)v->kind, "id", v->id, "version", (json_int_t)v->version, "state",
			state_name(v->state), "workers_active", (int)v->workers_active,
			"workers_total", (int)v->workers_total, "code", v->error_code, "file",
			v->error_file, "line", (int)v->error_line, "message", v->error_text,
			"version_in_force", (json_int_t)v->version_in_force, "breaker", v->breaker);
	if (said == NULL)
		return false;
	before = json_object_get(n->verdicts, key);
	is_new = !is_same_verdict(said, before);
	/* an Ack does not speak of breakers: the NodeStatus behind it does */
	if (v->breaker[0] == '\0' && before != NULL)
		json_object_set(said, "breaker", json_object_get(before, "breaker"));
	json_object_set_new(n->verdicts, key, said);
	return is_new;
}

void feed_node_forget(struct feed_node *n, uint32_t kind, const char *id)
{
	char key[80];
	const char *at;
	json_t *verdict;
	void *next;

	if (id != NULL && kind != 4) {
		verdict_key(kind, id, key, sizeof(key));
		json_object_del(n->verdicts, key);
	}
	if (id != NULL)
		return;
	json_object_foreach_safe(n->verdicts, next, at, verdict)
	{
		if (json_integer_value(json_object_get(verdict, "kind")) != 4)
			json_object_del(n->verdicts, at);
	}
}

const json_t *feed_node_verdict(const struct feed_node *n, uint8_t kind, const char *id)
{
	char key[80];

	verdict_key(kind, id, key, sizeof(key));
	return json_object_get(n->verdicts, key);
}

/* ---- as JSON ---- */

static bool is_rejection(const json_t *verdict)
{
	return strcmp(json_string_value(json_object_get(verdict, "state")), "rejected") == 0;
}

static json_t *rejections(const struct feed_node *n)
{
	json_t *list = json_array(), *verdict;
	const char *key;

	json_object_foreach (n->verdicts, key, verdict) {
		if (is_rejection(verdict))
			json_array_append(list, verdict);
	}
	return list;
}

static json_t *text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

/* "127.0.0.1:4711 CN=edge" → 127.0.0.1; "[::1]:4711" → ::1; a unix socket as it is. */
static json_t *ip_or_null(const char *address)
{
	struct str a = str_of(address != NULL ? address : "");
	size_t n = strcspn(a.p, " ");

	if (a.n == 0)
		return json_null();
	if (str_starts(a, STR("unix:")))
		return json_string(address);
	while (n > 0 && a.p[--n] != ':')
		;
	if (n >= 2 && a.p[0] == '[')
		return json_stringn(a.p + 1, n - 2);
	return json_stringn(a.p, n);
}

json_t *feed_node_json(const struct feed_node *n, uint64_t wanted)
{
	const char *sync = n->is_rolled_back ? "rollback" : n->refusals != 0 ? "refused" : "normal";

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:O, s:s, s:b, s:I, s:I, s:o, s:o}", "id",
			n->id, "hostname", text_or_null(n->hostname), "ip", ip_or_null(n->address),
			"address", text_or_null(n->address), "version", text_or_null(n->version),
			"last_seen", (json_int_t)n->seen_s, "labels", n->labels, "sync_status",
			sync, "connected", n->peer != NULL, "generation",
			(json_int_t)(n->said > n->held ? n->said : n->held), "wanted_generation",
			(json_int_t)wanted, "rejected", rejections(n), "refused_for",
			text_or_null(n->refused_for));
}

static json_t *error_of(const json_t *verdict)
{
	const char *file = json_string_value(json_object_get(verdict, "file"));
	const char *message = json_string_value(json_object_get(verdict, "message"));
	json_int_t line = json_integer_value(json_object_get(verdict, "line"));

	if (!is_rejection(verdict))
		return json_null();
	if (file != NULL && file[0] != '\0' && line > 0)
		return json_sprintf("%s:%lld: %s", file, (long long)line, message);
	return json_string(message != NULL && message[0] != '\0' ? message : "rejected");
}

json_t *feed_node_plugin(const struct feed_node *n, const char *plugin_id, uint64_t version,
		bool *ret_active)
{
	const json_t *v = feed_node_verdict(n, 4, plugin_id);
	bool is_current = v != NULL &&
			  (uint64_t)json_integer_value(json_object_get(v, "version")) == version;
	json_int_t active =
			is_current && !is_rejection(v)
					? json_integer_value(json_object_get(v, "workers_active"))
					: 0;
	json_int_t total = json_integer_value(json_object_get(v, "workers_total"));
	const char *state = !is_current                    ? "pending"
			    : is_rejection(v)              ? "rejected"
			    : active < total || total == 0 ? "activating"
							   : "active";

	*ret_active = strcmp(state, "active") == 0;
	if (n->peer == NULL)
		state = "disconnected";
	return json_pack("{s:s, s:o, s:I, s:I, s:s, s:o, s:o}", "id", n->id, "hostname",
			text_or_null(n->hostname), "workers_active", active, "workers_total", total,
			"state", state, "error", is_current ? error_of(v) : json_null(), "breaker",
			breaker_or_null(v));
}
