/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/2 session of a link: nghttp2's callbacks, and bytes in and out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "stream/grpc_link_impl.h"

#define STREAM_WINDOW_BYTES (1024 * 1024)
#define CONNECTION_WINDOW_BYTES (2 * 1024 * 1024)
#define OUTPUT_HIGH_BYTES (128U * 1024U)
#define CONCURRENT_CALLS 8
/* One stream is all a node needs; whoever opens more than this is not one. */
#define CALLS_MAX 100
#define HEAD_LIST_BYTES 16384

#define HEAD_TABLE(X) \
	X(":method", method) \
	X(":path", path) \
	X(":status", http_status) \
	X("content-type", content_type) \
	X("grpc-encoding", encoding) \
	X("grpc-status", status) \
	X("grpc-message", message)

static const struct {
	struct str name;
	size_t offset, size;
} head_fields[] = {
#define X(name, field) \
	{STR(name), offsetof(struct grpc_head, field), sizeof(((struct grpc_head *)0)->field)},
		HEAD_TABLE(X)
#undef X
};

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_link *l = arg;

	(void)session;
	memset(&l->head, 0, sizeof(l->head));
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && ++l->calls_n > CALLS_MAX)
		link_fail(l, "more than %d calls on one connection", CALLS_MAX);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
	struct grpc_link *l = arg;
	struct str key = {(const char *)name, name_n};

	(void)session;
	(void)frame;
	(void)flags;
	for (size_t i = 0; i < sizeof(head_fields) / sizeof(head_fields[0]); i++) {
		size_t room = head_fields[i].size - 1, n = value_n < room ? value_n : room;
		char *to = (char *)&l->head + head_fields[i].offset;

		if (!str_eq(key, head_fields[i].name))
			continue;
		memcpy(to, value, n);
		to[n] = '\0';
	}
	return 0;
}

static void headers_received(struct grpc_link *l, const nghttp2_frame *frame)
{
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	int32_t id = frame->hd.stream_id;

	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		if (call_serve(l, id, is_end) != 0)
			link_fail(l, "out of memory");
	} else if (l->conf.role == GRPC_CLIENT && id == l->call_id) {
		call_response(l);
	}
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_link *l = arg;
	bool is_stream = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;

	(void)session;
	if (l->is_dead || l->is_orphan)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		headers_received(l, frame);
	if (frame->hd.type == NGHTTP2_SETTINGS && l->conf.role == GRPC_CLIENT && !l->is_called) {
		if (call_make(l) != 0)
			link_fail(l, "out of memory");
	}
	if (frame->hd.type == NGHTTP2_GOAWAY && l->conf.role == GRPC_CLIENT && !l->is_finishing)
		link_fail(l, "the other side is going away: %s",
				nghttp2_http2_strerror(frame->goaway.error_code));
	if (is_stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && l->call_id != 0 &&
			frame->hd.stream_id == l->call_id)
		call_half_closed(l);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		size_t n, void *arg)
{
	struct grpc_link *l = arg;

	(void)session;
	(void)flags;
	if (id == l->call_id && l->call_id != 0)
		call_data(l, (struct str){(const char *)data, n});
	return 0;
}

/* A server that has answered does not wait for the rest of the request (RFC 9113 §8.1). */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_link *l = arg;
	int32_t id = frame->hd.stream_id;

	if (l->conf.role != GRPC_SERVER || frame->hd.type != NGHTTP2_HEADERS ||
			(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	if (nghttp2_session_get_stream_remote_close(session, id) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
	struct grpc_link *l = arg;

	(void)session;
	if (id == l->call_id && l->call_id != 0)
		call_closed(l, error_code);
	return 0;
}

static nghttp2_session_callbacks *callbacks_make(void)
{
	nghttp2_session_callbacks *cb = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	return cb;
}

static int settings_submit(struct grpc_link *l)
{
	bool is_client = l->conf.role == GRPC_CLIENT;
	nghttp2_settings_entry entries[] = {
			{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
			{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_LIST_BYTES},
			{is_client ? NGHTTP2_SETTINGS_ENABLE_PUSH
				   : NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
					is_client ? 0 : CONCURRENT_CALLS},
	};
	int r = nghttp2_submit_settings(l->session, NGHTTP2_FLAG_NONE, entries,
			sizeof(entries) / sizeof(entries[0]));

	if (r == 0)
		r = nghttp2_session_set_local_window_size(
				l->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES);
	return r == 0 ? 0 : -ENOMEM;
}

int link_session_start(struct grpc_link *l)
{
	nghttp2_session_callbacks *cb = callbacks_make();
	int r;

	if (cb == NULL)
		return -ENOMEM;
	r = l->conf.role == GRPC_CLIENT ? nghttp2_session_client_new(&l->session, cb, l)
					: nghttp2_session_server_new(&l->session, cb, l);
	nghttp2_session_callbacks_del(cb);
	return r == 0 ? settings_submit(l) : -ENOMEM;
}

void link_session_write(struct grpc_link *l)
{
	struct evbuffer *out = bufferevent_get_output(l->bev);

	while (evbuffer_get_length(out) < OUTPUT_HIGH_BYTES) {
		const uint8_t *p = NULL;
		ssize_t n = nghttp2_session_mem_send(l->session, &p);

		if (n < 0)
			link_fail(l, "HTTP/2: %s", nghttp2_strerror((int)n));
		if (n <= 0 || l->is_dead)
			return;
		if (bufferevent_write(l->bev, p, (size_t)n) != 0)
			link_fail(l, "out of memory");
	}
}

void link_session_read(struct grpc_link *l)
{
	struct evbuffer *in = bufferevent_get_input(l->bev);
	size_t left = evbuffer_get_length(in);

	while (left > 0 && !l->is_dead && !l->is_orphan) {
		size_t first = evbuffer_get_contiguous_space(in), n = first > 0 ? first : left;
		ssize_t r = nghttp2_session_mem_recv(
				l->session, evbuffer_pullup(in, (ssize_t)n), n);

		if (r < 0) {
			link_fail(l, "HTTP/2: %s", nghttp2_strerror((int)r));
			return;
		}
		evbuffer_drain(in, n);
		left = evbuffer_get_length(in);
	}
}
