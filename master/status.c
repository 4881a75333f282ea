/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <string.h>

#include "base/check.h"
#include "master/account.h"
#include "master/handover.h"
#include "master/latency.h"
#include "master/status_docs.h"
#include "master/status_listen.h"
#include "master/status_targets.h"
#include "master/upgrade.h"
#include "shm/conf.h"
#include "stream/accept_pause.h"

#define STATUS_MAGIC SL_MAGIC('S', 'T', 'A', 'T')
#define REQUEST_TIMEOUT_S 10

struct status {
	uint32_t magic;
	const struct status_sources *sources;
	struct evhttp *open;      /* status_listen */
	struct evhttp *operators; /* the unix socket */
	struct accept_pause *open_pause, *operators_pause;
	struct status_sockets sockets;
	char *socket_path;
	bool is_open; /* the path is ours; before, maybe another image's */
};

/* ---- answers ---- */

static void send_text(
		struct evhttp_request *req, int code, const char *type, const char *text, size_t n)
{
	struct evbuffer *out = evbuffer_new();

	if (out == NULL) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	evbuffer_add(out, text, n);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", type);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Server",
			"sluice/" PACKAGE_VERSION);
	evhttp_send_reply(req, code, NULL, out);
	evbuffer_free(out);
}

/* Takes the reference over. */
static void send_json(struct evhttp_request *req, int code, json_t *doc)
{
	sl_auto_mem char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	if (text == NULL)
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	else
		send_text(req, code, "application/json; charset=utf-8", text, strlen(text));
}

static void send_message(struct evhttp_request *req, int code, const char *message)
{
	send_json(req, code, json_pack("{s:s}", "message", message));
}

/* ---- routes ---- */

static void get_status(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, status_doc_status(s->sources));
}

static void get_ready(struct evhttp_request *req, const struct status *s)
{
	int code = HTTP_SERVUNAVAIL;
	json_t *doc = status_doc_ready(s->sources, &code);

	send_json(req, code, doc);
}

static void get_workers(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, status_doc_workers(s->sources));
}

static void get_plugins(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, status_doc_plugins(s->sources));
}

static void get_generations(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, status_doc_generations(s->sources));
}

static void get_latency(struct evhttp_request *req, const struct status *s)
{
	if (s->sources->latency == NULL)
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
	else
		send_json(req, HTTP_OK, latency_json(s->sources->latency));
}

static void get_traffic(struct evhttp_request *req, const struct status *s)
{
	if (s->sources->account == NULL)
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
	else
		send_json(req, HTTP_OK, account_json(s->sources->account));
}

static void get_steering(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, status_doc_steering(s->sources));
}

static void post_steering(struct evhttp_request *req, const struct status *s)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct str name = query != NULL ? str_of(query) : STR_NONE;
	struct why why = WHY_NONE;
	enum steer_mode mode;
	char text[1200];

	if (s->sources->steering == NULL) {
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
	} else if (!str_starts(name, STR("mode=")) || !steer_mode_parse(str_from(name, 5), &mode)) {
		snprintf(text, sizeof(text), "no such mode; there are %s", steer_mode_list());
		send_message(req, HTTP_BADREQUEST, text);
	} else if (steering_set_mode(s->sources->steering, mode, &why) < 0) {
		send_message(req, 409, why_text(&why, text, sizeof(text)));
	} else {
		get_steering(req, s);
	}
}

/* The value of a numeric parameter of the query; absent: `otherwise`.  False: it is no number. */
static bool read_number(
		struct evhttp_request *req, const char *name, uint32_t otherwise, uint32_t *ret)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)), *text;
	struct evkeyvalq values = {NULL};
	uint64_t n = otherwise;
	bool is_good;

	*ret = otherwise;
	if (query == NULL || query[0] == '\0')
		return true;
	is_good = evhttp_parse_query_str(query, &values) == 0;
	text = is_good ? evhttp_find_header(&values, name) : NULL;
	if (text != NULL)
		is_good = str_to_u64(str_of(text), &n) && n < UINT32_MAX;
	evhttp_clear_headers(&values);
	*ret = (uint32_t)n;
	return is_good;
}

static void post_restart(struct evhttp_request *req, const struct status *s)
{
	struct why why = WHY_NONE;
	uint32_t worker;
	char text[1200];
	int r;

	if (s->sources->workers == NULL) {
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
		return;
	}
	if (!read_number(req, "worker", SUPERVISE_ALL, &worker)) {
		send_message(req, HTTP_BADREQUEST, "worker must be a number");
		return;
	}
	r = supervise_restart(s->sources->workers, worker, &why);
	if (r < 0)
		send_message(req, r == -ENOENT ? HTTP_BADREQUEST : 409,
				why_text(&why, text, sizeof(text)));
	else
		get_workers(req, s);
}

static void post_scale(struct evhttp_request *req, const struct status *s)
{
	struct why why = WHY_NONE;
	uint32_t n;
	char text[1200];
	int r;

	if (s->sources->workers == NULL) {
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
		return;
	}
	if (!read_number(req, "n", UINT32_MAX, &n) || n == UINT32_MAX) {
		send_message(req, HTTP_BADREQUEST, "n must be a number of workers");
		return;
	}
	r = supervise_scale(s->sources->workers, n, &why);
	if (r < 0)
		send_message(req, r == -ERANGE ? HTTP_BADREQUEST : 409,
				why_text(&why, text, sizeof(text)));
	else
		get_workers(req, s);
}

/* Of one worker, or of the node. */
static void answer_drain(struct evhttp_request *req, const struct status *s, bool is_on)
{
	struct why why = WHY_NONE;
	uint32_t worker, timeout_ms = s->sources->node->conf->shutdown_timeout_ms;
	char text[1200];
	int r;

	if (s->sources->workers == NULL) {
		send_message(req, HTTP_NOTFOUND, "This node serves no traffic");
		return;
	}
	if (!read_number(req, "worker", SUPERVISE_ALL, &worker) ||
			!read_number(req, "timeout_ms", timeout_ms, &timeout_ms)) {
		send_message(req, HTTP_BADREQUEST, "worker and timeout_ms must be numbers");
		return;
	}
	r = is_on ? supervise_drain(s->sources->workers, worker, timeout_ms, &why)
		  : supervise_undrain(s->sources->workers, worker, &why);
	if (r < 0)
		send_message(req, r == -ENOENT ? HTTP_BADREQUEST : 409,
				why_text(&why, text, sizeof(text)));
	else
		get_workers(req, s);
}

static void post_drain(struct evhttp_request *req, const struct status *s)
{
	answer_drain(req, s, true);
}

static void post_drain_cancel(struct evhttp_request *req, const struct status *s)
{
	answer_drain(req, s, false);
}

static void get_upgrade(struct evhttp_request *req, const struct status *s)
{
	send_json(req, HTTP_OK, upgrade_json(s->sources->upgrade));
}

/* ?binary=PATH&timeout_ms=N; what is missing has its default. */
static void post_upgrade(struct evhttp_request *req, const struct status *s)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	uint64_t timeout_ms = UPGRADE_TIMEOUT_MS;
	const char *binary, *timeout;
	struct why why = WHY_NONE;
	struct evkeyvalq args;
	char text[1200];
	int r = -EINVAL;

	if (evhttp_parse_query_str(query != NULL ? query : "", &args) < 0) {
		send_message(req, HTTP_BADREQUEST, "bad query");
		return;
	}
	binary = evhttp_find_header(&args, "binary");
	timeout = evhttp_find_header(&args, "timeout_ms");
	if (timeout != NULL && (!str_to_u64(str_of(timeout), &timeout_ms) || timeout_ms == 0 ||
					       timeout_ms > UPGRADE_TIMEOUT_MAX_MS))
		why_set(&why, "timeout_ms", 0, "must be 1 to %d", UPGRADE_TIMEOUT_MAX_MS);
	else
		r = upgrade_start(s->sources->upgrade, binary != NULL ? binary : "",
				(uint32_t)timeout_ms, &why);
	evhttp_clear_headers(&args);
	if (r < 0)
		send_message(req, r == -EBUSY || r == -ESHUTDOWN ? 409 : HTTP_BADREQUEST,
				why_text(&why, text, sizeof(text)));
	else
		get_upgrade(req, s);
}

static void get_targets(struct evhttp_request *req, const struct status *s)
{
	int code;
	json_t *doc = status_doc_targets(s->sources, req, &code);

	send_json(req, code, doc);
}

static void post_target(struct evhttp_request *req, const struct status *s)
{
	int code;
	json_t *doc = status_doc_set_target(s->sources, req, &code);

	send_json(req, code, doc);
}

static void get_metrics(struct evhttp_request *req, const struct status *s)
{
	sl_auto_buf out = {.p = NULL};

	status_metrics(s->sources, &out);
	if (out.is_failed)
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	else
		send_text(req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", out.p, out.n);
}

static void post_reload(struct evhttp_request *req, const struct status *s)
{
	struct why why = WHY_NONE;
	sl_auto_mem char *notes = s->sources->reload(s->sources->arg, &why);
	char text[1200];

	if (notes == NULL)
		send_message(req, HTTP_BADREQUEST, why_text(&why, text, sizeof(text)));
	else
		send_message(req, HTTP_OK, notes);
}

struct route {
	const char *path;
	enum evhttp_cmd_type method;
	bool is_operators_route;
	void (*answer)(struct evhttp_request *req, const struct status *s);
};

static const struct route routes[] = {
		{"/status", EVHTTP_REQ_GET, false, get_status},
		{"/status/ready", EVHTTP_REQ_GET, false, get_ready},
		{"/workers", EVHTTP_REQ_GET, false, get_workers},
		{"/plugins", EVHTTP_REQ_GET, false, get_plugins},
		{"/generations", EVHTTP_REQ_GET, false, get_generations},
		{"/latency", EVHTTP_REQ_GET, false, get_latency},
		{"/traffic", EVHTTP_REQ_GET, false, get_traffic},
		{"/metrics", EVHTTP_REQ_GET, false, get_metrics},
		{"/steering", EVHTTP_REQ_GET, false, get_steering},
		{"/steering", EVHTTP_REQ_POST, true, post_steering},
		{"/upstreams/health", EVHTTP_REQ_GET, false, get_targets},
		{"/upstreams/health", EVHTTP_REQ_POST, true, post_target},
		{"/workers/restart", EVHTTP_REQ_POST, true, post_restart},
		{"/workers/scale", EVHTTP_REQ_POST, true, post_scale},
		{"/drain", EVHTTP_REQ_POST, true, post_drain},
		{"/drain/cancel", EVHTTP_REQ_POST, true, post_drain_cancel},
		{"/upgrade", EVHTTP_REQ_GET, false, get_upgrade},
		{"/upgrade", EVHTTP_REQ_POST, true, post_upgrade},
		{"/reload", EVHTTP_REQ_POST, true, post_reload},
};

static bool is_method(const struct route *r, enum evhttp_cmd_type method)
{
	return method == r->method || (method == EVHTTP_REQ_HEAD && r->method == EVHTTP_REQ_GET);
}

/* Of the path and method; else of the path. */
static const struct route *find_route(
		const char *path, enum evhttp_cmd_type method, bool is_operator)
{
	const struct route *found = NULL;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];

		if (strcmp(r->path, path) != 0 || (r->is_operators_route && !is_operator))
			continue;
		if (found == NULL || is_method(r, method))
			found = r;
	}
	return found;
}

static void answer(struct evhttp_request *req, const struct status *s, bool is_operator)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const struct route *r = path != NULL ? find_route(path, method, is_operator) : NULL;

	sl_check(s, STATUS_MAGIC);
	if (r == NULL)
		send_message(req, HTTP_NOTFOUND, "Not found");
	else if (!is_method(r, method))
		send_message(req, HTTP_BADMETHOD, "Method not allowed");
	else
		r->answer(req, s);
}

static void on_open_request(struct evhttp_request *req, void *arg)
{
	answer(req, arg, false);
}

static void on_operators_request(struct evhttp_request *req, void *arg)
{
	answer(req, arg, true);
}

/* ---- listening ---- */

static struct evhttp *make_server(
		struct event_base *base, void (*cb)(struct evhttp_request *, void *), void *arg)
{
	struct evhttp *http = evhttp_new(base);

	if (http == NULL)
		return NULL;
	evhttp_set_timeout(http, REQUEST_TIMEOUT_S);
	evhttp_set_max_headers_size(http, 16384);
	evhttp_set_max_body_size(http, 16384);
	evhttp_set_gencb(http, cb, arg);
	return http;
}

int status_new(struct status **ret, struct event_base *base, const struct status_sources *sources,
		const struct handover *before, struct why *why)
{
	sl_auto(status) s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return why_errno(why, ENOMEM, "status API");
	s->magic = STATUS_MAGIC;
	s->sources = sources;
	s->open = make_server(base, on_open_request, s);
	s->operators = make_server(base, on_operators_request, s);
	if (s->open == NULL || s->operators == NULL)
		return why_errno(why, ENOMEM, "status API");
	s->socket_path = conf_path(sources->node->conf, "sluiced.sock");
	if (s->socket_path == NULL)
		return why_errno(why, ENOMEM, "sluiced.sock");
	r = status_listen_open(
			s->open, sources->node->conf->status_listen, before, &s->sockets, why);
	if (r == 0)
		r = status_listen_operators(s->operators, s->socket_path, before, &s->sockets, why);
	if (r == 0)
		r = accept_pause_new(&s->open_pause, base, s->open, "status_listen", why);
	if (r == 0)
		r = accept_pause_new(&s->operators_pause, base, s->operators, "sluiced.sock", why);
	if (r < 0)
		return r;
	s->is_open = true;
	*ret = sl_steal(s);
	return 0;
}

void status_hand_over(const struct status *s, struct handover *h)
{
	sl_check(s, STATUS_MAGIC);
	h->operators_fd = s->sockets.operators;
	h->n_status = s->sockets.n;
	memcpy(h->status, s->sockets.fds, s->sockets.n * sizeof(h->status[0]));
}

void status_free(struct status *s)
{
	if (s == NULL)
		return;
	sl_check(s, STATUS_MAGIC);
	accept_pause_free(s->open_pause);
	accept_pause_free(s->operators_pause);
	if (s->open != NULL)
		evhttp_free(s->open);
	if (s->operators != NULL)
		evhttp_free(s->operators);
	if (s->is_open)
		unlink(s->socket_path);
	free(s->socket_path);
	s->magic = 0;
	free(s);
}
