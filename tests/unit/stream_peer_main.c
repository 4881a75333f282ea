/* SPDX-License-Identifier: Apache-2.0
 *
 * Either end of the control stream as a program, for tests with another gRPC implementation at
 * the other end:
 *
 *	stream_peer client ADDRESSES [name=value …]
 *	stream_peer server ADDRESS   [name=value …]
 *
 * Prints one JSON object per event on stdout and takes one command per line on stdin:
 * "status N" (client: a NodeStatus with generation N), "update BYTES" and "blob BYTES" (server:
 * an Update with one spec of that size; a blob in 64 KiB chunks), "close REASON", "quit".
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "stream/client.h"
#include "stream/server.h"

#define CHUNK_BYTES 65536

struct options {
	struct stream_tls tls;
	uint64_t max_message_bytes, heartbeat_ms, admit, backoff_min_ms, backoff_max_ms;
};

struct program {
	struct event_base *base;
	struct stream_client *client;
	struct stream_server *server;
	struct stream_peer *peer; /* the last that said Hello */
	struct buf input;
	uint64_t sequence, status_n;
	/* the blob being sent or received */
	char *blob;
	size_t blob_bytes, blob_at;
};

/* Takes the reference. */
static void say(json_t *event)
{
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(event);
}

static void say_error(int r, const struct why *why)
{
	if (r != 0)
		say(json_pack("{s:s,s:s,s:s}", "event", "error", "what", strerror(-r), "text",
				why != NULL ? why->text : ""));
}

static json_t *hex_json(const ProtobufCBinaryData *bytes)
{
	char text[129];

	hex_encode(bytes->data, bytes->len < 64 ? bytes->len : 64, text);
	return json_string(text);
}

static void client_opened(void *arg)
{
	struct program *p = arg;
	Sluice__Stream__V1__Hello hello;
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	char id[] = "6c8f7a52-2c0e-4c52-9d0a-000000000001", host[] = "node-1", version[] = "0";

	sluice__stream__v1__hello__init(&hello);
	hello.node_id = id;
	hello.hostname = host;
	hello.version = version;
	hello.protocol = 1;
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HELLO;
	m.hello = &hello;
	say(json_pack("{s:s,s:s}", "event", "opened", "peer", stream_client_peer(p->client)));
	say_error(stream_client_send(p->client, &m), NULL);
}

static void client_update(struct program *p, const Sluice__Stream__V1__Update *u)
{
	Sluice__Stream__V1__Ack ack;
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	size_t spec_bytes = 0;

	for (size_t i = 0; i < u->n_resources; i++)
		spec_bytes += u->resources[i]->spec.len;
	say(json_pack("{s:s,s:I,s:I,s:I}", "event", "update", "generation",
			(json_int_t)u->generation, "resources", (json_int_t)u->n_resources,
			"spec_bytes", (json_int_t)spec_bytes));
	sluice__stream__v1__ack__init(&ack);
	ack.nonce = u->nonce;
	ack.generation = u->generation;
	ack.final = 1;
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_ACK;
	m.ack = &ack;
	say_error(stream_client_send(p->client, &m), NULL);
}

static void client_chunk(struct program *p, const Sluice__Stream__V1__BlobChunk *c)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	if (c->offset == 0) {
		free(p->blob);
		p->blob = malloc(c->total + 1);
		p->blob_bytes = c->total;
		p->blob_at = 0;
	}
	if (p->blob == NULL || c->offset != p->blob_at ||
			c->data.len > p->blob_bytes - p->blob_at) {
		stream_client_reset(p->client, "chunks out of order");
		return;
	}
	memcpy(p->blob + p->blob_at, c->data.data, c->data.len);
	p->blob_at += c->data.len;
	if (p->blob_at < p->blob_bytes)
		return;
	SHA256((unsigned char *)p->blob, p->blob_bytes, sum);
	say(json_pack("{s:s,s:I,s:b}", "event", "blob", "bytes", (json_int_t)p->blob_bytes,
			"is_whole",
			c->sha256.len == sizeof(sum) &&
					memcmp(sum, c->sha256.data, sizeof(sum)) == 0));
}

static void client_message(void *arg, const Sluice__Stream__V1__ControlMessage *m)
{
	if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE)
		client_update(arg, m->update);
	else if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_CHUNK)
		client_chunk(arg, m->chunk);
}

static void client_closed(void *arg, const struct why *why, uint32_t retry_in_ms)
{
	(void)arg;
	say(json_pack("{s:s,s:s,s:I}", "event", "closed", "why", why->text, "retry_in_ms",
			(json_int_t)retry_in_ms));
}

static uint64_t client_generation(void *arg)
{
	(void)arg;
	return 7;
}

static const struct stream_client_events client_events = {
		.opened = client_opened,
		.message = client_message,
		.closed = client_closed,
		.generation = client_generation,
};

static void server_hello(void *arg, struct stream_peer *peer, const Sluice__Stream__V1__Hello *h)
{
	struct program *p = arg;

	p->peer = peer;
	say(json_pack("{s:s,s:s,s:s,s:I,s:s}", "event", "hello", "node_id", h->node_id, "hostname",
			h->hostname, "generation", (json_int_t)h->generation, "peer",
			stream_peer_name(peer)));
}

static void server_message(
		void *arg, struct stream_peer *peer, const Sluice__Stream__V1__NodeMessage *m)
{
	(void)arg;
	(void)peer;
	if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_ACK)
		say(json_pack("{s:s,s:I,s:I,s:b}", "event", "ack", "generation",
				(json_int_t)m->ack->generation, "verdicts",
				(json_int_t)m->ack->n_verdicts, "final", m->ack->final));
	else if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS)
		say(json_pack("{s:s,s:I}", "event", "status", "generation",
				(json_int_t)m->status->generation));
	else if (m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_BLOBS)
		say(json_pack("{s:s,s:I,s:o*}", "event", "blobs", "n",
				(json_int_t)m->blobs->n_sha256, "first",
				m->blobs->n_sha256 > 0 ? hex_json(&m->blobs->sha256[0]) : NULL));
}

static void server_heartbeat(void *arg, struct stream_peer *peer, uint64_t generation)
{
	(void)arg;
	(void)peer;
	say(json_pack("{s:s,s:I}", "event", "heartbeat", "generation", (json_int_t)generation));
}

static void server_closed(void *arg, struct stream_peer *peer, const struct why *why)
{
	struct program *p = arg;

	if (p->peer == peer)
		p->peer = NULL;
	say(json_pack("{s:s,s:s}", "event", "closed", "why", why->text));
}

/* Keeps the queue of the peer short, as control does. */
static void blob_send(struct program *p)
{
	Sluice__Stream__V1__BlobChunk chunk = SLUICE__STREAM__V1__BLOB_CHUNK__INIT;
	Sluice__Stream__V1__ControlMessage m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;
	uint8_t sum[SHA256_DIGEST_LENGTH];
	int r = 0;

	if (p->blob == NULL || p->peer == NULL)
		return;
	SHA256((unsigned char *)p->blob, p->blob_bytes, sum);
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_CHUNK;
	m.chunk = &chunk;
	chunk.sha256 = (ProtobufCBinaryData){sizeof(sum), sum};
	chunk.total = p->blob_bytes;
	while (r == 0 && p->blob_at < p->blob_bytes && stream_peer_queued(p->peer) < 262144) {
		size_t left = p->blob_bytes - p->blob_at;

		chunk.offset = p->blob_at;
		chunk.data.data = (uint8_t *)p->blob + p->blob_at;
		chunk.data.len = left < CHUNK_BYTES ? left : CHUNK_BYTES;
		p->blob_at += chunk.data.len;
		r = stream_peer_send(p->peer, &m);
	}
	say_error(r, NULL);
	if (p->blob_at == p->blob_bytes) {
		say(json_pack("{s:s,s:I}", "event", "blob_sent", "bytes",
				(json_int_t)p->blob_bytes));
		free(p->blob);
		p->blob = NULL;
	}
}

static void server_drained(void *arg, struct stream_peer *peer)
{
	(void)peer;
	blob_send(arg);
}

static const struct stream_server_events server_events = {
		.hello = server_hello,
		.message = server_message,
		.heartbeat = server_heartbeat,
		.closed = server_closed,
		.drained = server_drained,
};

static void command_status(struct program *p, const char *arg)
{
	Sluice__Stream__V1__NodeStatus status = SLUICE__STREAM__V1__NODE_STATUS__INIT;
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;

	status.generation = strtoull(arg, NULL, 10);
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS;
	m.status = &status;
	if (p->client != NULL)
		say_error(stream_client_send(p->client, &m), NULL);
}

static void command_update(struct program *p, const char *arg)
{
	size_t n = strtoull(arg, NULL, 10);
	sl_auto_mem uint8_t *spec = calloc(1, n + 1);
	uint8_t nonce[] = "nonce", sum[SHA256_DIGEST_LENGTH];
	char id[] = "a";
	Sluice__Stream__V1__Resource resource, *list[] = {&resource};
	Sluice__Stream__V1__Update update = SLUICE__STREAM__V1__UPDATE__INIT;
	Sluice__Stream__V1__ControlMessage m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;

	if (spec == NULL || p->peer == NULL)
		return;
	sluice__stream__v1__resource__init(&resource);
	SHA256(spec, n, sum);
	resource.kind = 1;
	resource.id = id;
	resource.version = 1;
	resource.spec = (ProtobufCBinaryData){n, spec};
	resource.spec_sha256 = (ProtobufCBinaryData){sizeof(sum), sum};
	update.nonce = (ProtobufCBinaryData){5, nonce};
	update.generation = ++p->sequence;
	update.resources = list;
	update.n_resources = 1;
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE;
	m.update = &update;
	say_error(stream_peer_send(p->peer, &m), NULL);
}

static void command_blob(struct program *p, const char *arg)
{
	free(p->blob);
	p->blob_bytes = strtoull(arg, NULL, 10);
	p->blob_at = 0;
	p->blob = malloc(p->blob_bytes + 1);
	for (size_t i = 0; p->blob != NULL && i < p->blob_bytes; i++)
		p->blob[i] = (char)(i * 31 >> 3);
	blob_send(p);
}

static void command_close(struct program *p, const char *arg)
{
	if (p->client != NULL)
		stream_client_reset(p->client, arg);
	else if (p->peer != NULL)
		stream_peer_close(p->peer, arg);
}

static void command_quit(struct program *p, const char *arg)
{
	(void)arg;
	event_base_loopbreak(p->base);
}

static const struct {
	const char *name;
	void (*run)(struct program *p, const char *arg);
} commands[] = {
		{"status ", command_status},
		{"update ", command_update},
		{"blob ", command_blob},
		{"close ", command_close},
		{"quit", command_quit},
};

static void command_run(struct program *p, const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t n = strlen(commands[i].name);

		if (strncmp(line, commands[i].name, n) == 0)
			commands[i].run(p, line + n);
	}
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char bytes[512];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	ptrdiff_t end;

	(void)what;
	if (n <= 0) {
		event_base_loopbreak(p->base);
		return;
	}
	buf_add(&p->input, bytes, (size_t)n);
	while ((end = str_find_char(buf_str(&p->input), '\n')) >= 0) {
		p->input.p[end] = '\0';
		command_run(p, p->input.p);
		buf_consume(&p->input, (size_t)end + 1);
	}
}

static int option_set(struct options *o, const char *text)
{
	const struct {
		const char *name;
		const char **text;
		uint64_t *number;
	} table[] = {
			{"cert=", &o->tls.cert, NULL},
			{"key=", &o->tls.key, NULL},
			{"ca=", &o->tls.ca, NULL},
			{"server_name=", &o->tls.server_name, NULL},
			{"max=", NULL, &o->max_message_bytes},
			{"heartbeat=", NULL, &o->heartbeat_ms},
			{"admit=", NULL, &o->admit},
			{"backoff_min=", NULL, &o->backoff_min_ms},
			{"backoff_max=", NULL, &o->backoff_max_ms},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].name);

		if (strncmp(text, table[i].name, n) != 0)
			continue;
		if (table[i].text != NULL)
			*table[i].text = text + n;
		else
			*table[i].number = strtoull(text + n, NULL, 10);
		return 0;
	}
	fprintf(stderr, "stream_peer: unknown option %s\n", text);
	return -EINVAL;
}

static int client_start(
		struct program *p, const char *addresses, const struct options *o, struct why *why)
{
	struct stream_client_conf conf = {.addresses = addresses,
			.tls = o->tls,
			.max_message_bytes = o->max_message_bytes,
			.backoff_min_ms = (uint32_t)o->backoff_min_ms,
			.backoff_max_ms = (uint32_t)o->backoff_max_ms};

	return stream_client_new(&p->client, p->base, &conf, &client_events, p, why);
}

static int server_start(
		struct program *p, const char *address, const struct options *o, struct why *why)
{
	struct stream_server_conf conf = {.tls = o->tls,
			.max_message_bytes = o->max_message_bytes,
			.heartbeat_ms = (uint32_t)o->heartbeat_ms,
			.control_id = "stream_peer",
			.admit_per_second = (uint32_t)o->admit};
	int r = stream_server_new(&p->server, p->base, &conf, &server_events, p, why);

	if (r == 0)
		r = stream_server_listen(p->server, address, why);
	if (r == 0)
		say(json_pack("{s:s}", "event", "listening"));
	return r;
}

static int program_run(struct program *p, char **argv, const struct options *o)
{
	struct why why = WHY_NONE;
	struct event *input = event_new(p->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, p);
	int r;

	event_add(input, NULL);
	r = strcmp(argv[1], "client") == 0 ? client_start(p, argv[2], o, &why)
					   : server_start(p, argv[2], o, &why);
	say_error(r, &why);
	if (r == 0)
		event_base_dispatch(p->base);
	stream_client_free(p->client);
	stream_server_free(p->server);
	event_free(input);
	buf_done(&p->input);
	free(p->blob);
	return r;
}

int main(int argc, char **argv)
{
	struct program p = {.base = event_base_new()};
	struct options o = {.max_message_bytes = 0};
	int r;

	if (argc < 3)
		return 2;
	for (int i = 3; i < argc; i++) {
		if (option_set(&o, argv[i]) != 0)
			return 2;
	}
	r = program_run(&p, argv, &o);
	event_base_loop(p.base, EVLOOP_NONBLOCK);
	event_base_free(p.base);
	return r == 0 ? 0 : 1;
}
