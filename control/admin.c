/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/admin_path.h"
#include "stream/accept_pause.h"

#define ADMIN_HEADER_MAX 16384

struct admin {
	uint32_t magic;
	struct admin_parts parts;
	struct evhttp *http;
	struct accept_pause *pause;
};
#define ADMIN_MAGIC SL_MAGIC('A', 'D', 'M', 'N')

static const char *const method_names[] = {
#define X(name) #name,
		ADMIN_METHOD_TABLE(X)
#undef X
};

/* ---- the answer ---- */

static void call_free(struct admin_call *call)
{
	if (call->query != NULL) {
		evhttp_clear_headers(call->query);
		free(call->query);
	}
	for (unsigned i = 0; i < ADMIN_SEGMENTS_MAX; i++)
		free(call->seg_mem[i]);
	json_decref(call->input);
	free(call->path);
	call->magic = 0;
	free(call);
}

void admin_header(struct admin_call *call, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(call->req), name, value);
}

static void add_standard_headers(struct admin_call *call)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu",
			(unsigned long long)((clock_mono_ns() - call->start_ns) / 1000000U));
	admin_header(call, "X-Kong-Admin-Latency", number);
	admin_header(call, "Server", "sluice/" PACKAGE_VERSION);
	admin_header(call, "Access-Control-Allow-Origin", "*");
}

/* text.p NULL: no body. */
void admin_text(struct admin_call *call, int status, const char *type, struct str text)
{
	struct evbuffer *out = evbuffer_new();
	char number[24];

	sl_check(call, ADMIN_CALL_MAGIC);
	add_standard_headers(call);
	if (status == 503)
		admin_header(call, "Retry-After", "1");
	if (type != NULL)
		admin_header(call, "Content-Type", type);
	snprintf(number, sizeof(number), "%zu", text.n);
	if (status != 204 && status != 304)
		admin_header(call, "Content-Length", number);
	if (out != NULL && text.n != 0 && !call->is_head)
		evbuffer_add(out, text.p, text.n);
	evhttp_send_reply(call->req, status, NULL, out);
	if (out != NULL)
		evbuffer_free(out);
	call_free(call);
}

void admin_reply(struct admin_call *call, int status, json_t *body)
{
	sl_auto_mem char *text =
			body != NULL ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	admin_text(call, body != NULL && text == NULL ? 500 : status,
			body != NULL ? "application/json; charset=utf-8" : NULL,
			text != NULL ? str_of(text) : STR_NONE);
	json_decref(body);
}

void admin_refuse(struct admin_call *call, const struct fault *fault)
{
	if (fault->status >= 500) {
		char text[512];
		const char *message = json_string_value(json_object_get(fault->body, "message"));

		log_err("an Admin API request failed", "request=%s status=%d",
				log_quote(text, sizeof(text), str_of(call->what)), fault->status);
		log_err("the reason", "message=%s", log_quote(text, sizeof(text), str_of(message)));
	}
	admin_reply(call, fault->status, json_incref(fault->body));
}

void admin_message(struct admin_call *call, int status, const char *message)
{
	admin_reply(call, status, json_pack("{s:s}", "message", message));
}

void admin_allow_text(unsigned methods, char *buf, size_t size)
{
	size_t at = 0;

	if ((methods & ADMIN_BIT(ADMIN_GET)) != 0)
		methods |= ADMIN_BIT(ADMIN_HEAD);
	methods |= ADMIN_BIT(ADMIN_OPTIONS);
	buf[0] = '\0';
	for (unsigned i = 0; i < ADMIN_OTHER && at < size; i++) {
		if ((methods & ADMIN_BIT(i)) != 0)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at != 0 ? ", " : "",
					method_names[i]);
	}
}

void admin_not_allowed(struct admin_call *call, unsigned methods)
{
	char allow[80];

	admin_allow_text(methods, allow, sizeof(allow));
	admin_header(call, "Allow", allow);
	if (call->method != ADMIN_OPTIONS) {
		admin_message(call, 405, "Method not allowed");
		return;
	}
	admin_header(call, "Access-Control-Allow-Methods", allow);
	admin_header(call, "Access-Control-Allow-Headers", "Content-Type");
	admin_reply(call, 204, NULL);
}

const char *admin_query(const struct admin_call *call, const char *name)
{
	return call->query != NULL ? evhttp_find_header(call->query, name) : NULL;
}

/* ---- the request ---- */

static enum admin_method method_of(const struct evhttp_request *req)
{
	enum evhttp_cmd_type cmd = evhttp_request_get_command(req);
	static const enum evhttp_cmd_type cmds[] = {EVHTTP_REQ_GET, EVHTTP_REQ_POST, EVHTTP_REQ_PUT,
			EVHTTP_REQ_PATCH, EVHTTP_REQ_DELETE, EVHTTP_REQ_HEAD, EVHTTP_REQ_OPTIONS};

	for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		if (cmds[i] == cmd)
			return (enum admin_method)i;
	}
	return ADMIN_OTHER;
}

/* false: more segments than any path has. */
static bool split_path(struct admin_call *call)
{
	const char *at = call->path;

	while (*at != '\0') {
		size_t n = strcspn(at, "/");
		size_t decoded_n;
		char *part;

		if (n != 0) {
			if (call->seg_n == ADMIN_SEGMENTS_MAX)
				return false;
			part = strndup(at, n);
			if (part == NULL)
				return false;
			call->seg_mem[call->seg_n] = evhttp_uridecode(part, 0, &decoded_n);
			free(part);
			if (call->seg_mem[call->seg_n] == NULL)
				return false;
			call->seg[call->seg_n] =
					(struct str){call->seg_mem[call->seg_n], decoded_n};
			call->seg_n++;
		}
		at += n;
		at += *at == '/';
	}
	return true;
}

static void read_uri(struct admin_call *call)
{
	const char *uri = evhttp_request_get_uri(call->req);
	const char *query = strchr(uri, '?');

	call->path = query != NULL ? strndup(uri, (size_t)(query - uri)) : strdup(uri);
	call->query = calloc(1, sizeof(*call->query));
	if (call->query != NULL && query != NULL)
		evhttp_parse_query_str(query + 1, call->query);
}

static unsigned count_headers(const struct evhttp_request *req, const char *name)
{
	struct evkeyval *h;
	unsigned n = 0;

	TAILQ_FOREACH (h, evhttp_request_get_input_headers((struct evhttp_request *)(uintptr_t)req),
			next)
		n += evutil_ascii_strcasecmp(h->key, name) == 0;
	return n;
}

static void refuse_body(struct admin_call *call, const struct why *why, const char *kind)
{
	json_t *message = json_sprintf("Cannot parse %s body", kind);
	json_t *detail = why->line > 0 ? json_sprintf("line %d: %s", why->line, why->text)
				       : json_string(why->text);

	admin_reply(call, 400, json_pack("{s:o, s:o}", "message", message, "detail", detail));
}

/* false: answered. */
static bool parse_body(struct admin_call *call, struct str boundary)
{
	struct why why = WHY_NONE;

	if (call->body_type == ADMIN_BODY_JSON) {
		if (admin_json_parse(call->body, &call->input, &why) != 0 ||
				!json_is_object(call->input)) {
			if (call->input != NULL)
				why_set(&why, NULL, 0, "expected an object");
			refuse_body(call, &why, "JSON");
			return false;
		}
	} else if (call->body_type == ADMIN_BODY_FORM || call->body_type == ADMIN_BODY_MULTIPART) {
		bool is_plain = call->body_type == ADMIN_BODY_FORM;

		call->is_form = true;
		if ((is_plain ? admin_form_parse(call->body, &call->input, &why)
			      : admin_multipart_parse(call->body, boundary, &call->input, &why)) !=
				0) {
			refuse_body(call, &why, is_plain ? "form" : "multipart");
			return false;
		}
	}
	return true;
}

/* false: answered. */
static bool read_body(struct admin_call *call)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(call->req);
	const char *type = evhttp_find_header(
			evhttp_request_get_input_headers(call->req), "Content-Type");
	struct str boundary = STR_NONE;

	call->body.n = evbuffer_get_length(in);
	if (call->body.n > ADMIN_BODY_MAX) {
		admin_message(call, 413, "Request body is too large: up to 32 MiB are taken");
		return false;
	}
	if (count_headers(call->req, "Content-Type") > 1) {
		admin_message(call, 400, "Only one Content-Type header may be sent");
		return false;
	}
	if (call->body.n == 0)
		return true;
	call->body.p = (const char *)evbuffer_pullup(in, -1);
	call->body_type = type != NULL ? admin_body_type(str_of(type), &boundary)
				       : ADMIN_BODY_UNKNOWN;
	if (admin_path_takes_raw(call))
		return true;
	if (call->body_type >= ADMIN_BODY_YAML && call->method != ADMIN_GET &&
			call->method != ADMIN_DELETE) {
		admin_message(call, 415,
				"Unsupported Content-Type: send application/json, "
				"application/x-www-form-urlencoded or multipart/form-data");
		return false;
	}
	return parse_body(call, boundary);
}

static void describe(struct admin_call *call)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(call->req);
	char *address = NULL;
	uint16_t port = 0;

	if (conn != NULL)
		evhttp_connection_get_peer(conn, &address, &port);
	snprintf(call->what, sizeof(call->what), "%s %s from %s",
			call->method < ADMIN_OTHER ? method_names[call->method] : "?", call->path,
			address != NULL ? address : "?");
}

static void take_request(struct evhttp_request *req, void *arg)
{
	struct admin *a = arg;
	struct admin_call *call = calloc(1, sizeof(*call));

	sl_check(a, ADMIN_MAGIC);
	if (call == NULL) {
		evhttp_send_error(req, 503, NULL);
		return;
	}
	call->magic = ADMIN_CALL_MAGIC;
	call->admin = a;
	call->parts = &a->parts;
	call->req = req;
	call->start_ns = clock_mono_ns();
	call->method = method_of(req);
	call->is_head = call->method == ADMIN_HEAD;
	read_uri(call);
	if (call->path == NULL || !split_path(call)) {
		admin_message(call, 404, "Not found");
		return;
	}
	describe(call);
	if (call->is_head)
		call->method = ADMIN_GET;
	if (read_body(call))
		admin_path_run(call);
}

/* ---- listening ---- */

static int listen_on(struct admin *a, struct str text, struct why *why)
{
	struct conf_address address;
	int r = conf_parse_address(text, &address, why);

	if (r != 0)
		return r;
	if (evhttp_bind_socket(a->http, address.host, address.port) != 0)
		return why_errno(why, errno, "admin_listen: cannot listen on %.*s", STR_ARG(text));
	log_notice("Admin API", "listen=%.*s", STR_ARG(text));
	return 0;
}

int admin_new(struct admin **ret, const struct admin_parts *parts, const char *listen,
		struct why *why)
{
	sl_auto(admin) a = calloc(1, sizeof(*a));
	struct str one;
	int r = 0;

	if (a == NULL)
		return why_errno(why, ENOMEM, "cannot start the Admin API");
	a->magic = ADMIN_MAGIC;
	a->parts = *parts;
	a->http = evhttp_new(parts->base);
	if (a->http == NULL)
		return why_errno(why, ENOMEM, "cannot start the Admin API");
	/* twice the limit: what is in between gets an answer in JSON, the rest evhttp's own */
	evhttp_set_max_body_size(a->http, 2 * (ev_ssize_t)ADMIN_BODY_MAX);
	evhttp_set_max_headers_size(a->http, ADMIN_HEADER_MAX);
	evhttp_set_timeout(a->http, 60);
	evhttp_set_allowed_methods(a->http, 0xffff);
	evhttp_set_gencb(a->http, take_request, a);
	while (r == 0 && conf_list_next(&listen, &one))
		r = listen_on(a, one, why);
	if (r == 0)
		r = accept_pause_new(&a->pause, parts->base, a->http, "admin_listen", why);
	if (r != 0)
		return r;
	*ret = sl_steal(a);
	return 0;
}

void admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	sl_check(a, ADMIN_MAGIC);
	accept_pause_free(a->pause);
	if (a->http != NULL)
		evhttp_free(a->http);
	a->magic = 0;
	free(a);
}
