/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of a trial: JSON into the exchange and out of it.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin/trial.h"

static struct str text_in(const struct exchange *x, const json_t *object, const char *name,
		const char *absent)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value))
		return str_of(absent);
	return arena_str(x->arena,
			(struct str){json_string_value(value), json_string_length(value)});
}

static int add_field(struct headers *h, const char *name, const json_t *value)
{
	struct str n = arena_str(h->arena, str_of(name));
	struct str v = arena_str(h->arena,
			(struct str){json_string_value(value), json_string_length(value)});

	return json_is_string(value) ? headers_add(h, n, v) : -EINVAL;
}

static int read_headers(struct headers *h, const json_t *fields)
{
	const char *name;
	json_t *value, *one;
	size_t i;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)fields, name, value) {
		if (!json_is_array(value) && r == 0)
			r = add_field(h, name, value);
		json_array_foreach (value, i, one)
			r = r == 0 ? add_field(h, name, one) : r;
	}
	return r;
}

static int add_host(struct exchange *x, const json_t *request)
{
	struct exchange_request *q = &x->request;
	struct str host = headers_get_id(&q->headers, HEADER_HOST);
	ptrdiff_t colon;

	if (host.p == NULL) {
		host = text_in(x, request, "host", "example.com");
		if (headers_set_id(&q->headers, HEADER_HOST, host) < 0)
			return -ENOMEM;
	}
	colon = str_find_char(host, ':');
	q->host = colon >= 0 ? str_head(host, (size_t)colon) : host;
	return 0;
}

int trial_read_request(struct exchange *x, const json_t *request, struct str *ret_body)
{
	struct exchange_request *q = &x->request;
	struct exchange_upstream *up = &x->upstream;
	int r;

	q->scheme = text_in(x, request, "scheme", "http");
	q->method = text_in(x, request, "method", "GET");
	q->http_major = q->http_minor = 1;
	memcpy(q->id, "0123456789abcdef0123456789abcdef", sizeof(q->id));
	q->client = (struct endpoint){text_in(x, request, "client_ip", "192.0.2.7"), 40000};
	q->real_client = q->client;
	q->server = (struct endpoint){STR("192.0.2.1"), 8000};
	q->host_port = 8000;
	r = read_headers(&q->headers, json_object_get(request, "headers"));
	if (r == 0)
		r = add_host(x, request);
	if (r == 0)
		r = exchange_set_target(x, text_in(x, request, "path", "/"));
	q->request_line = arena_printf(
			x->arena, "%.*s %.*s HTTP/1.1", STR_ARG(q->method), STR_ARG(q->target));
	q->bytes = q->request_line.n;
	*ret_body = text_in(x, request, "body", NULL);
	q->body.state = ret_body->n != 0 ? BODY_UNREAD : BODY_NONE;
	if (r == 0 && ret_body->n != 0 &&
			headers_get_id(&q->headers, HEADER_CONTENT_LENGTH).p == NULL)
		r = headers_set_id(&q->headers, HEADER_CONTENT_LENGTH,
				arena_printf(x->arena, "%zu", ret_body->n));
	up->scheme = STR("http");
	up->method = q->method;
	up->path = q->path;
	up->host = STR("service.example");
	up->port = 80;
	up->host_header = up->host;
	return r;
}

int trial_read_consumer(struct exchange *x, const json_t *consumer, struct entity_ref *ret)
{
	sl_auto_mem char *text = json_dumps(consumer, JSON_COMPACT);

	*ret = (struct entity_ref){.id = STR_NONE};
	if (!json_is_object(consumer))
		return 0;
	ret->id = text_in(x, consumer, "id", "00000000-0000-4000-8000-000000000003");
	ret->name = text_in(x, consumer, "username", NULL);
	ret->json = arena_str(x->arena, str_of(text));
	return ret->json.p != NULL ? 0 : -ENOMEM;
}

int trial_read_response(struct exchange *x, const json_t *service)
{
	struct exchange_response *r = &x->response;
	json_int_t status = json_integer_value(json_object_get(service, "status"));
	int err = read_headers(&r->service_headers, json_object_get(service, "headers"));

	r->service_body.bytes = text_in(x, service, "body", "");
	if (err == 0 && headers_get_id(&r->service_headers, HEADER_CONTENT_LENGTH).p == NULL)
		err = headers_set_id(&r->service_headers, HEADER_CONTENT_LENGTH,
				arena_printf(x->arena, "%zu", r->service_body.bytes.n));
	r->status = r->service_status = status != 0 ? (int)status : 200;
	r->source = RESPONSE_FROM_SERVICE;
	headers_share(&r->headers, &r->service_headers);
	r->service_body.state = BODY_UNREAD;
	return err;
}

json_t *trial_text(struct str bytes)
{
	json_t *text = json_stringn(bytes.p != NULL ? bytes.p : "", bytes.n);
	char *plain;

	if (text != NULL)
		return text;
	/* Not UTF-8: what is no ASCII is shown as '?'. */
	plain = strndup(bytes.p, bytes.n);
	for (size_t i = 0; plain != NULL && i < strlen(plain); i++)
		plain[i] = (unsigned char)plain[i] < 0x80 ? plain[i] : '?';
	text = json_string(plain != NULL ? plain : "");
	free(plain);
	return text;
}

/* Names in lower case: {name: [values]}. */
static json_t *show_headers(const struct headers *h)
{
	json_t *all = json_object();
	char name[256];

	for (uint32_t i = 0; i < h->n; i++) {
		size_t n = h->v[i].name.n < sizeof(name) - 1 ? h->v[i].name.n : sizeof(name) - 1;
		json_t *values;

		for (size_t k = 0; k < n; k++)
			name[k] = ascii_lower(h->v[i].name.p[k]);
		name[n] = '\0';
		values = json_object_get(all, name);
		if (values == NULL) {
			values = json_array();
			json_object_set_new(all, name, values);
		}
		json_array_append_new(values, trial_text(h->v[i].value));
	}
	return all;
}

json_t *trial_service_request(const struct exchange *x, struct str unread_body)
{
	const struct exchange_upstream *up = &x->upstream;
	const struct body *b = &x->request.body;
	struct str body = b->is_replaced || b->state == BODY_COMPLETE ? b->bytes : unread_body;

	return json_pack("{s:o,s:o,s:o,s:i,s:o,s:o,s:o,s:o}", "method", trial_text(up->method),
			"scheme", trial_text(up->scheme), "host", trial_text(up->host), "port",
			(int)up->port, "path", trial_text(up->path), "query",
			trial_text(x->request.raw_query), "headers",
			show_headers(&x->request.headers), "body", trial_text(body));
}

json_t *trial_response(const struct exchange *x, struct str body)
{
	static const char *const sources[] = {[RESPONSE_NOT_YET] = "none",
			[RESPONSE_FROM_SERVICE] = "service",
			[RESPONSE_FROM_EXIT] = "exit",
			[RESPONSE_FROM_ERROR] = "error"};

	return json_pack("{s:i,s:s,s:o,s:o}", "status", x->response.status, "source",
			sources[x->response.source], "headers", show_headers(&x->response.headers),
			"body", trial_text(body));
}
