/* SPDX-License-Identifier: Apache-2.0
 *
 * The one call of a link: its request and response heads, messages and ending
 * ("gRPC over HTTP/2", PROTOCOL-HTTP2.md of the gRPC project).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "stream/grpc_link_impl.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* nghttp2 copies both. */
static nghttp2_nv field_make(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			.value = (uint8_t *)(uintptr_t)value,
			.namelen = strlen(name),
			.valuelen = strlen(value),
			.flags = NGHTTP2_NV_FLAG_NONE};
}

static const char *number_make(char ret[8], enum grpc_status status)
{
	snprintf(ret, 8, "%d", (int)status);
	return ret;
}

static const char *message_make(char *ret, size_t size, const char *text)
{
	grpc_message_encode(ret, size, text);
	return ret;
}

static void trailers_submit(struct grpc_link *l)
{
	char number[8];
	nghttp2_nv fields[] = {field_make("grpc-status", number_make(number, l->final_status)),
			field_make("grpc-message", l->final_text)};

	if (nghttp2_submit_trailer(l->session, l->call_id, fields, COUNT(fields)) != 0)
		link_fail(l, "out of memory");
}

/* nghttp2 asks for the next bytes of the call. */
static ssize_t queue_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
		uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_link *l = arg;
	int n = evbuffer_remove(l->queue, to, room);

	(void)session;
	(void)id;
	(void)source;
	if (n < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (n > 0)
		l->sent_ms = clock_mono_ms();
	if (l->is_finishing && evbuffer_get_length(l->queue) == 0) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (l->conf.role == GRPC_SERVER) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			trailers_submit(l);
		}
		return n;
	}
	return n > 0 ? n : NGHTTP2_ERR_DEFERRED;
}

int call_make(struct grpc_link *l)
{
	nghttp2_nv fields[] = {field_make(":method", "POST"),
			field_make(":scheme", grpc_link_ssl(l) != NULL ? "https" : "http"),
			field_make(":path", GRPC_LINK_PATH), field_make(":authority", l->authority),
			field_make("content-type", "application/grpc"),
			field_make("te", "trailers"),
			field_make("grpc-accept-encoding", "identity"),
			field_make("user-agent", PACKAGE_NAME "/" PACKAGE_VERSION)};
	nghttp2_data_provider queue = {.read_callback = queue_read};
	int32_t id = nghttp2_submit_request(l->session, NULL, fields, COUNT(fields), &queue, NULL);

	if (id < 0)
		return -ENOMEM;
	l->is_called = true;
	l->call_id = id;
	l->conf.events->opened(l->conf.arg);
	return 0;
}

/* The whole answer to a request that is no call of ours. */
static int answer(struct grpc_link *l, int32_t id, const nghttp2_nv *fields, size_t n)
{
	return nghttp2_submit_response(l->session, id, fields, n, NULL) == 0 ? 0 : -ENOMEM;
}

static int answer_http(struct grpc_link *l, int32_t id, const char *http_status)
{
	nghttp2_nv fields[] = {
			field_make(":status", http_status), field_make("content-length", "0")};

	return answer(l, id, fields, COUNT(fields));
}

static int answer_grpc(struct grpc_link *l, int32_t id, enum grpc_status status, const char *text)
{
	char number[8], message[256];
	nghttp2_nv fields[] = {field_make(":status", "200"),
			field_make("content-type", "application/grpc"),
			field_make("grpc-accept-encoding", "identity"),
			field_make("grpc-status", number_make(number, status)),
			field_make("grpc-message", message_make(message, sizeof(message), text))};

	return answer(l, id, fields, COUNT(fields));
}

static int call_accept(struct grpc_link *l, int32_t id)
{
	nghttp2_nv fields[] = {field_make(":status", "200"),
			field_make("content-type", "application/grpc"),
			field_make("grpc-accept-encoding", "identity")};
	nghttp2_data_provider queue = {.read_callback = queue_read};

	if (nghttp2_submit_response(l->session, id, fields, COUNT(fields), &queue) != 0)
		return -ENOMEM;
	l->call_id = id;
	l->heard_ms = clock_mono_ms();
	return 0;
}

static bool is_grpc(const char *content_type)
{
	const char *rest;

	if (strncmp(content_type, "application/grpc", 16) != 0)
		return false;
	rest = content_type + 16;
	return *rest == '\0' || *rest == ';' || strcmp(rest, "+proto") == 0;
}

int call_serve(struct grpc_link *l, int32_t id, bool is_end)
{
	const struct grpc_head *h = &l->head;
	const char *text = "";
	enum grpc_status status;

	if (strcmp(h->method, "POST") != 0)
		return answer_http(l, id, "405");
	if (!is_grpc(h->content_type))
		return answer_http(l, id, "415");
	if (strcmp(h->path, GRPC_LINK_PATH) != 0)
		return answer_grpc(l, id, GRPC_UNIMPLEMENTED,
				"unknown method: this is " GRPC_LINK_PATH);
	if (h->encoding[0] != '\0' && strcmp(h->encoding, "identity") != 0)
		return answer_grpc(l, id, GRPC_UNIMPLEMENTED, "messages must not be compressed");
	if (is_end)
		return answer_grpc(l, id, GRPC_INVALID_ARGUMENT, "Hello is missing");
	if (l->call_id != 0)
		return answer_grpc(l, id, GRPC_RESOURCE_EXHAUSTED, "one stream per connection");
	status = l->conf.events->admit(l->conf.arg, &text);
	if (status != GRPC_OK)
		return answer_grpc(l, id, status, text);
	return call_accept(l, id);
}

void call_response(struct grpc_link *l)
{
	const struct grpc_head *h = &l->head;
	uint64_t number = GRPC_UNKNOWN;

	l->heard_ms = clock_mono_ms();
	if (h->http_status[0] == '1')
		return;
	if (h->http_status[0] != '\0' && strcmp(h->http_status, "200") != 0) {
		link_fail(l, "the other side answered HTTP status %s", h->http_status);
		return;
	}
	if (h->http_status[0] != '\0' && !is_grpc(h->content_type)) {
		link_fail(l, "the other side does not speak gRPC (content-type \"%s\")",
				h->content_type);
		return;
	}
	if (h->status[0] != '\0' && l->why.text[0] == '\0') {
		char text[512];

		str_to_u64(str_of(h->status), &number);
		grpc_message_decode(text, sizeof(text), str_of(h->message));
		why_set(&l->why, NULL, 0, "the other side ended the stream: %s%s%s",
				grpc_status_name((unsigned)number), text[0] != '\0' ? ": " : "",
				text);
	}
}

void call_half_closed(struct grpc_link *l)
{
	if (l->conf.role == GRPC_CLIENT || l->is_finishing)
		return;
	if (!grpc_decoder_is_idle(&l->decoder))
		grpc_link_refuse(l, GRPC_INTERNAL, "the stream ended within a message");
	else
		grpc_link_finish(l, GRPC_OK, "the node ended the stream");
}

void call_closed(struct grpc_link *l, uint32_t error_code)
{
	if (l->conf.role == GRPC_SERVER && l->is_finishing) {
		nghttp2_submit_goaway(l->session, NGHTTP2_FLAG_NONE,
				nghttp2_session_get_last_proc_stream_id(l->session),
				NGHTTP2_NO_ERROR, NULL, 0);
		return;
	}
	if (l->is_finishing) {
		nghttp2_session_terminate_session(l->session, NGHTTP2_NO_ERROR);
		return;
	}
	link_fail(l, "the other side reset the stream: %s", nghttp2_http2_strerror(error_code));
}

static void frame_refuse(struct grpc_link *l, int r)
{
	char text[128];

	if (r == GRPC_FRAME_E_COMPRESSED) {
		grpc_link_refuse(l, GRPC_UNIMPLEMENTED, "messages must not be compressed");
	} else if (r == GRPC_FRAME_E_TOO_BIG) {
		snprintf(text, sizeof(text), "a message of %zu bytes is over the limit of %zu",
				l->decoder.message_bytes, l->decoder.limit_bytes);
		grpc_link_refuse(l, GRPC_RESOURCE_EXHAUSTED, text);
	} else if (r == GRPC_FRAME_E_MALFORMED) {
		grpc_link_refuse(l, GRPC_INTERNAL, "malformed message prefix");
	} else {
		grpc_link_refuse(l, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
}

void call_data(struct grpc_link *l, struct str data)
{
	l->heard_ms = clock_mono_ms();
	while (!l->is_finishing && !l->is_dead && !l->is_orphan) {
		struct str message;
		int r = grpc_decoder_next(&l->decoder, &data, &message);

		if (r == GRPC_FRAME_NEEDS_MORE)
			return;
		if (r != GRPC_FRAME_MESSAGE) {
			frame_refuse(l, r);
			return;
		}
		l->conf.events->message(l->conf.arg, message);
	}
}
