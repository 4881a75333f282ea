/* SPDX-License-Identifier: Apache-2.0
 *
 * Client and server in one event loop, over a unix socket; addresses; unpacking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "stream/address.h"
#include "stream/client.h"
#include "stream/message.h"
#include "stream/server.h"

typedef Sluice__Stream__V1__ControlMessage control_message;
typedef Sluice__Stream__V1__NodeMessage node_message;

struct both {
	struct event_base *base;
	struct stream_server *server;
	struct stream_client *client;
	struct stream_peer *peer;
	char directory[32], address[64];
	int opened, hellos, statuses, updates, closed_client, closed_server, drained, heartbeats;
	bool free_in_opened, free_in_hello, free_in_message, close_in_hello;
	char why[1024];
};

static void client_opened(void *arg)
{
	struct both *b = arg;
	Sluice__Stream__V1__Hello hello;
	node_message m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	char id[] = "n";

	b->opened++;
	sluice__stream__v1__hello__init(&hello);
	hello.node_id = id;
	hello.protocol = 1;
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HELLO;
	m.hello = &hello;
	assert_int_equal(stream_client_send(b->client, &m), 0);
	if (b->free_in_opened) {
		stream_client_free(b->client);
		b->client = NULL;
	}
}

static void client_message(void *arg, const control_message *m)
{
	struct both *b = arg;

	b->updates += m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE;
	if (b->free_in_message) {
		stream_client_free(b->client);
		b->client = NULL;
	}
}

static void client_closed(void *arg, const struct why *why, uint32_t retry_in_ms)
{
	struct both *b = arg;

	(void)retry_in_ms;
	b->closed_client++;
	snprintf(b->why, sizeof(b->why), "%s", why->text);
}

static uint64_t client_generation(void *arg)
{
	(void)arg;
	return 5;
}

static const struct stream_client_events client_events = {
		.opened = client_opened,
		.message = client_message,
		.closed = client_closed,
		.generation = client_generation,
};

static void server_hello(void *arg, struct stream_peer *p, const Sluice__Stream__V1__Hello *hello)
{
	struct both *b = arg;

	(void)hello;
	b->hellos++;
	b->peer = p;
	stream_peer_set_user(p, b);
	if (b->close_in_hello)
		stream_peer_close(p, "not you");
	if (b->free_in_hello) {
		stream_server_free(b->server);
		b->server = NULL;
	}
}

static void server_message(void *arg, struct stream_peer *p, const node_message *m)
{
	struct both *b = arg;

	assert_ptr_equal(stream_peer_user(p), b);
	b->statuses += m->body_case == SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS;
}

static void server_heartbeat(void *arg, struct stream_peer *p, uint64_t generation)
{
	struct both *b = arg;

	(void)p;
	assert_int_equal(generation, 5);
	b->heartbeats++;
}

static void server_closed(void *arg, struct stream_peer *p, const struct why *why)
{
	struct both *b = arg;

	(void)p;
	(void)why;
	b->closed_server++;
	b->peer = NULL;
}

static void server_drained(void *arg, struct stream_peer *p)
{
	struct both *b = arg;

	(void)p;
	b->drained++;
}

static const struct stream_server_events server_events = {
		.hello = server_hello,
		.message = server_message,
		.heartbeat = server_heartbeat,
		.closed = server_closed,
		.drained = server_drained,
};

static void server_start(struct both *b)
{
	const struct stream_server_conf conf = {
			.max_message_bytes = 1 << 20, .heartbeat_ms = 60, .control_id = "c"};
	struct why why;

	assert_int_equal(stream_server_new(&b->server, b->base, &conf, &server_events, b, &why), 0);
	assert_int_equal(stream_server_listen(b->server, b->address, &why), 0);
}

static int set_up(void **state)
{
	struct both *b = calloc(1, sizeof(*b));
	struct stream_client_conf conf = {.max_message_bytes = 1 << 20};
	struct why why;

	assert_non_null(b);
	strcpy(b->directory, "/tmp/stream-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	snprintf(b->address, sizeof(b->address), "unix:%s/s", b->directory);
	conf.addresses = b->address;
	b->base = event_base_new();
	server_start(b);
	assert_int_equal(stream_client_new(&b->client, b->base, &conf, &client_events, b, &why), 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct both *b = *state;

	stream_client_free(b->client);
	stream_server_free(b->server);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	event_base_free(b->base);
	remove(b->address + 5);
	remove(b->directory);
	free(b);
	return 0;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Turns the loop until *what is at least n, not longer than 5 s. */
static void turn_until(struct both *b, const int *what, int n)
{
	uint64_t deadline_ms = clock_mono_ms() + 5000;
	struct timeval step = {.tv_usec = 10000};
	struct event *wake = event_new(b->base, -1, EV_PERSIST, tick, NULL);

	event_add(wake, &step);
	while (*what < n && clock_mono_ms() < deadline_ms)
		event_base_loop(b->base, EVLOOP_ONCE);
	event_free(wake);
	assert_true(*what >= n);
}

static void update_init(control_message *m, Sluice__Stream__V1__Update *u)
{
	sluice__stream__v1__control_message__init(m);
	sluice__stream__v1__update__init(u);
	m->body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE;
	m->update = u;
}

static void messages_go_both_ways_and_heartbeats_between_them(void **state)
{
	struct both *b = *state;
	Sluice__Stream__V1__NodeStatus status = SLUICE__STREAM__V1__NODE_STATUS__INIT;
	node_message m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	Sluice__Stream__V1__Update u;
	control_message c;

	assert_int_equal(stream_client_send(b->client, &m), -ENOTCONN);
	assert_string_equal(stream_client_peer(b->client), "");
	turn_until(b, &b->hellos, 1);
	assert_string_equal(stream_client_peer(b->client), b->address);
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS;
	m.status = &status;
	assert_int_equal(stream_client_send(b->client, &m), 0);
	turn_until(b, &b->statuses, 1);
	update_init(&c, &u);
	assert_int_equal(stream_peer_send(b->peer, &c), 0);
	turn_until(b, &b->updates, 1);
	turn_until(b, &b->heartbeats, 3);
	assert_int_equal(b->closed_client, 0);
}

static void a_process_that_slept_does_not_blame_the_other_side(void **state)
{
	struct both *b = *state;

	turn_until(b, &b->heartbeats, 2);
	usleep(600000);
	turn_until(b, &b->heartbeats, 6);
	assert_int_equal(b->closed_client + b->closed_server, 0);
}

static void a_full_queue_is_told_of_once_it_has_drained(void **state)
{
	struct both *b = *state;
	sl_auto_mem uint8_t *nonce = calloc(1, 300000);
	Sluice__Stream__V1__Update u;
	control_message c;

	turn_until(b, &b->hellos, 1);
	update_init(&c, &u);
	u.nonce = (ProtobufCBinaryData){300000, nonce};
	for (int i = 0; i < 10; i++)
		assert_int_equal(stream_peer_send(b->peer, &c), 0);
	assert_true(stream_peer_queued(b->peer) > 2900000);
	turn_until(b, &b->updates, 10);
	turn_until(b, &b->drained, 1);
	assert_true(stream_peer_queued(b->peer) < 300000);
	assert_int_equal(b->drained, 1);
}

static void what_the_other_side_would_refuse_is_not_sent(void **state)
{
	struct both *b = *state;
	sl_auto_mem uint8_t *nonce = calloc(1, 2 << 20);
	Sluice__Stream__V1__ResourceId id, *ids[] = {&id};
	Sluice__Stream__V1__Update u;
	control_message c;
	char broken[] = "a\xff";

	turn_until(b, &b->hellos, 1);
	update_init(&c, &u);
	u.nonce = (ProtobufCBinaryData){2 << 20, nonce};
	assert_int_equal(stream_peer_send(b->peer, &c), -EMSGSIZE);
	u.nonce.len = 0;
	sluice__stream__v1__resource_id__init(&id);
	id.id = broken;
	u.removed = ids;
	u.n_removed = 1;
	assert_int_equal(stream_peer_send(b->peer, &c), -EILSEQ);
	message_utf8_repair(broken);
	assert_string_equal(broken, "a?");
	assert_int_equal(stream_peer_send(b->peer, &c), 0);
}

static void a_client_comes_back_after_goodbye_and_after_a_restart(void **state)
{
	struct both *b = *state;

	turn_until(b, &b->hellos, 1);
	stream_peer_close(b->peer, "go");
	turn_until(b, &b->closed_server, 1);
	turn_until(b, &b->hellos, 2);
	stream_server_free(b->server);
	server_start(b);
	turn_until(b, &b->hellos, 3);
	stream_client_reset(b->client, "nonsense came");
	turn_until(b, &b->closed_client, 3);
	assert_string_equal(b->why, "ABORTED: nonsense came");
	turn_until(b, &b->hellos, 4);
}

static void either_end_may_be_freed_inside_its_own_events(void **state)
{
	struct both *b = *state;

	b->free_in_opened = true;
	turn_until(b, &b->opened, 1);
	b->free_in_hello = true;
	for (int i = 0; i < 5; i++)
		event_base_loop(b->base, EVLOOP_NONBLOCK);
	assert_null(b->client);
}

static void a_server_may_be_freed_when_a_node_says_hello(void **state)
{
	struct both *b = *state;

	b->free_in_hello = true;
	turn_until(b, &b->hellos, 1);
	assert_null(b->server);
	turn_until(b, &b->closed_client, 1);
}

static void a_peer_may_be_closed_when_it_says_hello(void **state)
{
	struct both *b = *state;

	b->close_in_hello = true;
	turn_until(b, &b->closed_server, 1);
}

static void a_client_may_be_freed_by_a_message(void **state)
{
	struct both *b = *state;
	Sluice__Stream__V1__Update u;
	control_message c;

	b->free_in_message = true;
	turn_until(b, &b->hellos, 1);
	update_init(&c, &u);
	assert_int_equal(stream_peer_send(b->peer, &c), 0);
	assert_int_equal(stream_peer_send(b->peer, &c), 0);
	turn_until(b, &b->closed_server, 1);
	assert_int_equal(b->updates, 1);
}

static void addresses_have_three_forms(void **state)
{
	static const struct {
		const char *text, *host, *port;
		int result;
	} table[] = {
			{"localhost:80", "localhost", "80", 0},
			{"[::1]:8005", "::1", "8005", 0},
			{"unix:/a/b", "/a/b", "", 0},
			{"::1:8005", NULL, NULL, -EINVAL},
			{"localhost", NULL, NULL, -EINVAL},
			{"localhost:", NULL, NULL, -EINVAL},
			{":80", NULL, NULL, -EINVAL},
			{"a:65536", NULL, NULL, -EINVAL},
			{"a:99999999999", NULL, NULL, -EINVAL},
			{"a:-1", NULL, NULL, -EINVAL},
			{"unix:", NULL, NULL, -EINVAL},
			{"", NULL, NULL, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct address a;

		assert_int_equal(address_parse(&a, str_of(table[i].text), NULL), table[i].result);
		if (table[i].result != 0)
			continue;
		assert_string_equal(a.host, table[i].host);
		assert_string_equal(a.port, table[i].port);
	}
}

static void an_address_with_a_nul_byte_is_refused_not_cut(void **state)
{
	struct address a;

	(void)state;
	assert_int_equal(address_parse(&a, STR("a\0b:80"), NULL), -EINVAL);
	assert_int_equal(address_parse(&a, STR("unix:\0x"), NULL), -EINVAL);
}

static void a_name_that_cannot_be_resolved_is_only_a_failed_attempt(void **state)
{
	struct both *b = *state;
	const struct stream_client_conf conf = {.addresses = "no-such-name.invalid:1"};
	struct stream_client *other;
	struct why why;

	assert_int_equal(stream_client_new(&other, b->base, &conf, &client_events, b, &why), 0);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	stream_client_free(other);
	turn_until(b, &b->hellos, 1);
}

static void utf8_is_checked_as_the_standard_says(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
	} table[] = {
			{"", true},
			{"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true},
			{"\xc0\xaf", false},
			{"\xe0\x80\xaf", false},
			{"\xed\xa0\x80", false},
			{"\xf4\x90\x80\x80", false},
			{"\xe2\x82", false},
			{"\x80", false},
	};
	Sluice__Stream__V1__Welcome w;

	(void)state;
	sluice__stream__v1__welcome__init(&w);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[32];

		strcpy(text, table[i].text);
		w.control_id = text;
		assert_int_equal(message_is_utf8(&w.base), table[i].is_good);
		message_utf8_repair(text);
		assert_true(message_is_utf8(&w.base));
	}
}

static void many_empty_elements_are_no_way_to_much_memory(void **state)
{
	sl_auto(arena) a = NULL;
	struct buf wire = {.n = 0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add(&wire, "\x1a\0", 2);
	assert_int_equal(message_arena_new(&a, wire.n), 0);
	assert_null(message_unpack(a, &sluice__stream__v1__ack__descriptor, buf_str(&wire)));
	assert_true(arena_is_exhausted(a));
	buf_done(&wire);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			WITH_BOTH(messages_go_both_ways_and_heartbeats_between_them),
			WITH_BOTH(a_process_that_slept_does_not_blame_the_other_side),
			WITH_BOTH(a_full_queue_is_told_of_once_it_has_drained),
			WITH_BOTH(what_the_other_side_would_refuse_is_not_sent),
			WITH_BOTH(a_client_comes_back_after_goodbye_and_after_a_restart),
			WITH_BOTH(either_end_may_be_freed_inside_its_own_events),
			WITH_BOTH(a_server_may_be_freed_when_a_node_says_hello),
			WITH_BOTH(a_peer_may_be_closed_when_it_says_hello),
			WITH_BOTH(a_client_may_be_freed_by_a_message),
			WITH_BOTH(a_name_that_cannot_be_resolved_is_only_a_failed_attempt),
			cmocka_unit_test(addresses_have_three_forms),
			cmocka_unit_test(an_address_with_a_nul_byte_is_refused_not_cut),
			cmocka_unit_test(utf8_is_checked_as_the_standard_says),
			cmocka_unit_test(many_empty_elements_are_no_way_to_much_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
