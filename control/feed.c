/* SPDX-License-Identifier: Apache-2.0 */
#include "control/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/check.h"
#include "base/log.h"
#include "control/feed_node.h"
#include "control/feed_update.h"

#define COALESCE_MS 3
#define NODES_MAX 4096
#define REFUSED_DELAY_MAX_S 64

struct feed {
	uint32_t magic;
	struct model *model;
	struct event_base *base;
	struct stream_server *server;
	struct event *soon;
	TAILQ_HEAD(, feed_node) nodes;
	unsigned nodes_n;
};
#define FEED_MAGIC SL_MAGIC('F', 'E', 'E', 'D')

/* ---- sending ---- */

static void end_update(struct feed_node *n)
{
	feed_update_free(n->update);
	n->update = NULL;
}

static void log_sent(const struct feed_node *n)
{
	struct feed_update_facts sent = feed_update_facts(n->update);

	log_info("update sent",
			"node=%s base=%" PRIu64 " generation=%" PRIu64 " resources=%" PRIu64
			" removed=%" PRIu64 " parts=%u",
			n->id, sent.base, sent.generation, sent.resources_n, sent.removed_n,
			sent.parts_n);
}

static void go_on_sending(struct feed_node *n)
{
	int r;

	if (n->peer == NULL || n->update == NULL)
		return;
	r = feed_update_send(n->update);
	if (r == 0)
		return;
	if (r == 1)
		log_sent(n);
	end_update(n);
	if (r == -EMSGSIZE)
		log_err("an entity does not fit into one message",
				"node=%s key=cluster_max_payload bytes=%" PRIu64, n->id,
				n->feed->model->conf->cluster_max_payload);
	else if (r < 0)
		log_err("an update could not be sent", "node=%s error=%s", n->id, strerror(-r));
	if (r < 0)
		stream_peer_close(n->peer, "the update could not be sent");
}

static void send_update(struct feed_node *n)
{
	struct feed_update_facts sent;
	int r = feed_update_new(&n->update, n, n->feed->model->store, n->held);

	if (r != 0) {
		log_err("an update could not be made", "node=%s error=%s", n->id, strerror(-r));
		stream_peer_close(n->peer, "the update could not be made");
		return;
	}
	sent = feed_update_facts(n->update);
	n->is_in_flight = true;
	n->is_full = sent.base == 0;
	n->sent = sent.generation;
	go_on_sending(n);
}

static bool is_waiting_again(const struct feed_node *n)
{
	return n->again != NULL && event_pending(n->again, EV_TIMEOUT, NULL) != 0;
}

static void send_if_behind(struct feed_node *n)
{
	uint64_t wanted = store_generation(n->feed->model->store);

	if (n->peer != NULL && !n->is_in_flight && !n->is_rolled_back && n->held != wanted &&
			!is_waiting_again(n))
		send_update(n);
}

static void send_soon(evutil_socket_t fd, short what, void *arg)
{
	struct feed *f = arg;
	struct feed_node *n;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (n, &f->nodes, entry)
		send_if_behind(n);
}

void feed_changed(struct feed *f)
{
	const struct timeval soon = {.tv_usec = COALESCE_MS * 1000};

	sl_check(f, FEED_MAGIC);
	if (event_pending(f->soon, EV_TIMEOUT, NULL) == 0)
		event_add(f->soon, &soon);
}

/* ---- what nodes say ---- */

static struct feed_node *node_find(struct feed *f, const char *id)
{
	struct feed_node *n;

	TAILQ_FOREACH (n, &f->nodes, entry) {
		if (strcmp(n->id, id) == 0)
			return n;
	}
	return NULL;
}

static void forget_oldest(struct feed *f)
{
	struct feed_node *n, *oldest = NULL;

	TAILQ_FOREACH (n, &f->nodes, entry) {
		if (n->peer == NULL && (oldest == NULL || n->seen_s < oldest->seen_s))
			oldest = n;
	}
	if (oldest == NULL)
		return;
	TAILQ_REMOVE(&f->nodes, oldest, entry);
	feed_node_free(oldest);
	f->nodes_n--;
}

static struct feed_node *node_get(struct feed *f, const char *id)
{
	struct feed_node *n = node_find(f, id);

	if (n != NULL)
		return n;
	if (f->nodes_n >= NODES_MAX)
		forget_oldest(f);
	if (f->nodes_n >= NODES_MAX || feed_node_new(&n, f, id) != 0)
		return NULL;
	TAILQ_INSERT_TAIL(&f->nodes, n, entry);
	f->nodes_n++;
	return n;
}

static bool same_bytes(const ProtobufCBinaryData *b, const uint8_t *p, size_t n)
{
	return b->len == n && memcmp(b->data, p, n) == 0;
}

/* The generation of ours that the node holds: ours if the digest is the same, its own if that
 * is a generation of this store, 0 = it needs everything. */
static uint64_t held_by(struct feed *f, const Sluice__Stream__V1__Hello *hello)
{
	struct store *store = f->model->store;
	uint8_t digest[STORE_SHA_BYTES];
	sl_auto(store_txn) t = NULL;

	if (!same_bytes(&hello->epoch, store_epoch(store), STORE_EPOCH_BYTES))
		return 0;
	if (store_begin(store, false, &t, NULL) == 0) {
		store_digest(t, digest);
		if (same_bytes(&hello->digest, digest, sizeof(digest)))
			return store_generation(store);
	}
	return hello->generation < store_generation(store) ? hello->generation : 0;
}

static void detach(struct feed_node *n)
{
	if (n->peer != NULL)
		stream_peer_set_user(n->peer, NULL);
	n->peer = NULL;
	n->is_in_flight = false;
	end_update(n);
	n->blobs_n = n->blobs_at = 0;
	n->blob_offset = 0;
}

static void on_hello(void *arg, struct stream_peer *p, const Sluice__Stream__V1__Hello *hello)
{
	struct feed *f = arg;
	struct feed_node *n;

	if (!uuid_is_valid(str_of(hello->node_id))) {
		stream_peer_close(p, "node_id must be a UUID");
		return;
	}
	n = node_get(f, hello->node_id);
	if (n == NULL) {
		stream_peer_close(p, "too many nodes");
		return;
	}
	if (n->peer != NULL) {
		struct stream_peer *old = n->peer;

		detach(n);
		stream_peer_close(old, "the node connected again");
	}
	feed_node_describe(n, hello, stream_peer_name(p));
	stream_peer_set_user(p, n);
	n->peer = p;
	n->held = held_by(f, hello);
	n->is_rolled_back = false;
	n->refusals = 0;
	log_notice("node connected", "node=%s address=\"%s\" generation=%" PRIu64 " in_step=%d",
			n->id, stream_peer_name(p), hello->generation,
			n->held == store_generation(f->model->store) && n->held != 0);
	send_if_behind(n);
}

static void log_rejection(const struct feed_node *n, const Sluice__Stream__V1__ResourceVerdict *v)
{
	char text[1200];

	if (v->state != SLUICE__STREAM__V1__RESOURCE_VERDICT__STATE__REJECTED)
		return;
	log_warn("node rejected a resource",
			"node=%s kind=%u id=%s version=%" PRIu64 " in_force=%" PRIu64
			" code=%s place=%s:%u text=%s",
			n->id, v->kind, v->id, v->version, v->version_in_force, v->error_code,
			v->error_file, v->error_line,
			log_quote(text, sizeof(text), str_of(v->error_text)));
}

static void take_verdicts(
		struct feed_node *n, Sluice__Stream__V1__ResourceVerdict *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (feed_node_judge(n, list[i]))
			log_rejection(n, list[i]);
	}
}

static void try_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_if_behind(arg);
}

/* A refused delta is followed by everything at once; everything refused, ever more slowly. */
static void take_refusal(struct feed_node *n, const Sluice__Stream__V1__Ack *ack)
{
	uint32_t delay_s = n->refusals < 6 ? 1U << n->refusals : REFUSED_DELAY_MAX_S;
	const struct timeval delay = {.tv_sec = delay_s};

	log_warn("node refused an update", "node=%s generation=%" PRIu64 " for=%s text=\"%s\"",
			n->id, n->sent, ack->refused_for, ack->error_text);
	free(n->refused_for);
	n->refused_for = strdup(ack->refused_for);
	n->held = 0;
	n->is_rolled_back = strcmp(ack->refused_for, "rollback") == 0;
	if (n->is_rolled_back || !n->is_full)
		return;
	n->refusals++;
	if (n->again == NULL)
		n->again = evtimer_new(n->feed->base, try_again, n);
	if (n->again != NULL)
		event_add(n->again, &delay);
}

static void take_ack(struct feed_node *n, const Sluice__Stream__V1__Ack *ack)
{
	if (!n->is_in_flight || !same_bytes(&ack->nonce, n->nonce, sizeof(n->nonce)))
		return;
	take_verdicts(n, ack->verdicts, ack->n_verdicts);
	n->said = ack->generation;
	if (!ack->final)
		return;
	n->is_in_flight = false;
	end_update(n); /* refused before all of it was sent */
	if (ack->refused_for[0] != '\0') {
		take_refusal(n, ack);
	} else {
		n->held = n->sent;
		n->refusals = 0;
		free(n->refused_for);
		n->refused_for = NULL;
		log_info("update taken", "node=%s generation=%" PRIu64, n->id, n->held);
	}
	send_if_behind(n);
}

static void on_message(void *arg, struct stream_peer *p, const Sluice__Stream__V1__NodeMessage *m)
{
	struct feed *f = arg;
	struct feed_node *n = stream_peer_user(p);

	if (n == NULL)
		return;
	n->seen_s = time(NULL);
	if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_ACK) {
		take_ack(n, m->ack);
	} else if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS) {
		n->said = m->status->generation;
		take_verdicts(n, m->status->plugins, m->status->n_plugins);
	} else if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_BLOBS) {
		if (feed_node_want(n, m->blobs) != 0)
			stream_peer_close(p, "a malformed request for code");
		else
			feed_node_send_blobs(n, f->model->store);
	}
}

static void on_heartbeat(void *arg, struct stream_peer *p, uint64_t generation)
{
	struct feed_node *n = stream_peer_user(p);

	(void)arg;
	if (n == NULL)
		return;
	n->seen_s = time(NULL);
	n->said = generation;
}

static void on_closed(void *arg, struct stream_peer *p, const struct why *why)
{
	struct feed_node *n = stream_peer_user(p);

	(void)arg;
	if (n == NULL)
		return;
	n->peer = NULL;
	detach(n);
	log_notice("node disconnected", "node=%s reason=\"%s\"", n->id,
			why != NULL ? why->text : "");
}

static void on_drained(void *arg, struct stream_peer *p)
{
	struct feed *f = arg;
	struct feed_node *n = stream_peer_user(p);

	if (n == NULL)
		return;
	go_on_sending(n);
	feed_node_send_blobs(n, f->model->store);
}

/* ---- opening ---- */

static int listen_all(struct feed *f, const struct conf *c, struct why *why)
{
	sl_auto_mem char *path = conf_path(c, "control.sock");
	sl_auto_mem char *address = NULL;
	const char *list = c->cluster_listen;
	char one[128];
	struct str text;
	int r;

	if (path == NULL || asprintf(&address, "unix:%s", path) < 0)
		return why_errno(why, ENOMEM, "cannot listen for nodes");
	r = stream_server_listen(f->server, address, why);
	if (strcmp(c->role, "control_plane") != 0)
		return r;
	while (r == 0 && conf_list_next(&list, &text)) {
		snprintf(one, sizeof(one), "%.*s", STR_ARG(text));
		r = stream_server_listen(f->server, one, why);
		if (r == 0)
			log_notice("control stream", "listen=%s", one);
	}
	return r;
}

static int open_server(struct feed *f, const char *control_id, struct why *why)
{
	static const struct stream_server_events events = {
			.hello = on_hello,
			.message = on_message,
			.heartbeat = on_heartbeat,
			.closed = on_closed,
			.drained = on_drained,
	};
	const struct conf *c = f->model->conf;
	struct stream_server_conf conf = {
			.tls = {c->cluster_cert, c->cluster_cert_key, c->cluster_ca_cert, ""},
			.max_message_bytes = c->cluster_max_payload,
			.control_id = control_id,
	};

	return stream_server_new(&f->server, f->base, &conf, &events, f, why);
}

int feed_new(struct feed **ret, struct model *model, struct event_base *base,
		const char *control_id, struct why *why)
{
	sl_auto(feed) f = calloc(1, sizeof(*f));
	int r;

	if (f == NULL)
		return why_errno(why, ENOMEM, "cannot start the control stream");
	f->magic = FEED_MAGIC;
	f->model = model;
	f->base = base;
	TAILQ_INIT(&f->nodes);
	f->soon = evtimer_new(base, send_soon, f);
	if (f->soon == NULL)
		return why_errno(why, ENOMEM, "cannot start the control stream");
	r = open_server(f, control_id, why);
	if (r == 0)
		r = listen_all(f, model->conf, why);
	if (r != 0)
		return r;
	*ret = sl_steal(f);
	return 0;
}

void feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	sl_check(f, FEED_MAGIC);
	stream_server_free(f->server);
	while (!TAILQ_EMPTY(&f->nodes)) {
		struct feed_node *n = TAILQ_FIRST(&f->nodes);

		TAILQ_REMOVE(&f->nodes, n, entry);
		feed_node_free(n);
	}
	if (f->soon != NULL)
		event_free(f->soon);
	f->magic = 0;
	free(f);
}

/* ---- showing ---- */

json_t *feed_nodes(const struct feed *f)
{
	uint64_t wanted = store_generation(f->model->store);
	json_t *list = json_array();
	const struct feed_node *n;

	TAILQ_FOREACH (n, &f->nodes, entry)
		json_array_append_new(list, feed_node_json(n, wanted));
	return list;
}

json_t *feed_plugin(const struct feed *f, const char *plugin_id, uint64_t version, bool *ret_active)
{
	json_t *list = json_array();
	const struct feed_node *n;
	unsigned connected = 0;
	bool is_active = true;

	TAILQ_FOREACH (n, &f->nodes, entry) {
		bool is_node_active;

		json_array_append_new(
				list, feed_node_plugin(n, plugin_id, version, &is_node_active));
		if (n->peer == NULL)
			continue;
		connected++;
		is_active = is_active && is_node_active;
	}
	*ret_active = connected != 0 && is_active;
	return list;
}
