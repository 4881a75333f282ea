/* SPDX-License-Identifier: Apache-2.0
 *
 * worker/dns against a name server in the same event loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/dns.h"

struct bed {
	struct event_base *base;
	struct evdns_server_port *server;
	struct dns *dns;
	struct conf conf;
	char resolver[32], hosts[32];
	const char *name; /* what the server knows */
	uint32_t v4[4];
	int n_v4, ttl;
	bool has_v6, is_silent_on_v6, is_silent;
	int n_asked; /* A questions */
};

static void on_question(struct evdns_server_request *r, void *arg)
{
	static uint8_t v6[16] = {[15] = 1};
	struct bed *b = arg;
	const struct evdns_server_question *q = r->questions[0];
	bool is_v4 = q->type == EVDNS_TYPE_A, is_known = strcasecmp(q->name, b->name) == 0;

	b->n_asked += is_v4;
	if (b->is_silent || (!is_v4 && b->is_silent_on_v6)) {
		evdns_server_request_drop(r);
		return;
	}
	if (is_known && is_v4 && b->n_v4 != 0)
		evdns_server_request_add_a_reply(r, q->name, b->n_v4, b->v4, b->ttl);
	if (is_known && !is_v4 && b->has_v6)
		evdns_server_request_add_aaaa_reply(r, q->name, 1, v6, b->ttl);
	evdns_server_request_respond(r, is_known ? 0 : 3);
}

static int bed_new(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct bed *b = calloc(1, sizeof(*b));
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), file;

	if (b == NULL || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
			getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return -1;
	b->base = event_base_new();
	b->server = evdns_add_server_port_with_base(b->base, fd, 0, on_question, b);
	snprintf(b->resolver, sizeof(b->resolver), "127.0.0.1:%u", ntohs(at.sin_port));
	strcpy(b->hosts, "/tmp/sluice-hosts-XXXXXX");
	file = mkstemp(b->hosts);
	if (file < 0)
		return -1;
	dprintf(file, "# comment\n10.9.8.7 Printer.lan printer # here\nnonsense x\n10.9.8.8 "
		      "printer\n");
	close(file);
	b->conf = (struct conf){.dns_resolver = b->resolver,
			.dns_search = "first.test,second.test",
			.dns_hostsfile = b->hosts,
			.dns_timeout_ms = 200,
			.dns_stale_ttl_ms = 60000};
	b->name = "a.test";
	b->v4[0] = htonl(0x0a000001);
	b->v4[1] = htonl(0x0a000002);
	b->v4[2] = htonl(0x0a000003);
	b->n_v4 = 1;
	b->ttl = 60;
	*state = b;
	return dns_new(&b->dns, b->base, &b->conf, NULL);
}

static int bed_free(void **state)
{
	struct bed *b = *state;

	dns_free(b->dns);
	evdns_close_server_port(b->server);
	event_base_free(b->base);
	unlink(b->hosts);
	free(b);
	return 0;
}

struct asker {
	struct dns_wait wait;
	struct dns_answer answer;
	int n_told;
};

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct asker *a = arg;

	a->answer = *answer;
	a->n_told++;
}

/* Asks; true when the answer was at hand. */
static bool ask(struct bed *b, struct asker *a, const char *name)
{
	*a = (struct asker){.wait = {.fn = on_answer, .arg = a}};
	return dns_find(b->dns, str_of(name), &a->answer, &a->wait);
}

static void run(struct bed *b, const struct asker *a)
{
	uint64_t end = clock_mono_ms() + 5000;

	while (a->n_told == 0 && clock_mono_ms() < end)
		event_base_loop(b->base, EVLOOP_ONCE);
	assert_int_equal(a->n_told, 1);
}

static const char *first(const struct asker *a)
{
	static char text[64];

	text[0] = '\0';
	if (a->answer.n != 0)
		peer_text(&a->answer.peers[0], text, sizeof(text));
	return text;
}

static void an_answer_serves_again_without_a_question(void **state)
{
	struct bed *b = *state;
	struct asker a;

	assert_false(ask(b, &a, "a.test"));
	run(b, &a);
	assert_string_equal(first(&a), "10.0.0.1");
	assert_true(ask(b, &a, "A.Test"));
	assert_string_equal(first(&a), "10.0.0.1");
	assert_int_equal(b->n_asked, 1);
}

static void many_who_ask_at_once_cost_one_question(void **state)
{
	struct bed *b = *state;
	struct asker a[20];

	for (int i = 0; i < 20; i++)
		assert_false(ask(b, &a[i], "a.test"));
	dns_cancel(&a[7].wait);
	run(b, &a[0]);
	for (int i = 0; i < 20; i++)
		assert_int_equal(a[i].n_told, i != 7);
	assert_int_equal(b->n_asked, 1);
}

static void several_addresses_take_turns(void **state)
{
	struct bed *b = *state;
	struct asker a;
	int seen[3] = {0};

	b->n_v4 = 3;
	ask(b, &a, "a.test");
	run(b, &a);
	for (int i = 0; i < 9; i++) {
		assert_true(ask(b, &a, "a.test"));
		assert_int_equal(a.answer.n, 3);
		seen[first(&a)[7] - '1']++;
	}
	assert_true(seen[0] == 3 && seen[1] == 3 && seen[2] == 3);
}

static void an_unknown_name_fails_and_is_asked_again_later(void **state)
{
	struct bed *b = *state;
	struct asker a;

	assert_false(ask(b, &a, "nobody.test."));
	run(b, &a);
	assert_int_equal(a.answer.n, 0);
	assert_true(ask(b, &a, "nobody.test."));
	assert_int_equal(a.answer.n, 0);
	assert_int_equal(b->n_asked, 1);
	usleep(1100000);
	b->name = "nobody.test";
	assert_false(ask(b, &a, "nobody.test."));
	run(b, &a);
	assert_string_equal(first(&a), "10.0.0.1");
}

static void an_expired_answer_serves_while_the_server_is_away(void **state)
{
	struct bed *b = *state;
	struct asker a;

	b->ttl = 0; /* a second at least */
	ask(b, &a, "a.test");
	run(b, &a);
	usleep(1100000);
	b->is_silent = true;
	for (int i = 0; i < 3; i++) {
		assert_true(ask(b, &a, "a.test"));
		assert_string_equal(first(&a), "10.0.0.1");
		event_base_loop(b->base, EVLOOP_NONBLOCK);
	}
	assert_in_range(b->n_asked, 1, 2);
}

static void a_new_address_is_taken_over_after_the_ttl(void **state)
{
	struct bed *b = *state;
	struct asker a;

	b->ttl = 1;
	ask(b, &a, "a.test");
	run(b, &a);
	b->v4[0] = b->v4[2];
	usleep(1100000);
	assert_true(ask(b, &a, "a.test"));
	for (int i = 0; i < 100 && strcmp(first(&a), "10.0.0.3") != 0; i++) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(10000);
		assert_true(ask(b, &a, "a.test"));
	}
	assert_string_equal(first(&a), "10.0.0.3");
}

static void a_server_that_never_answers_is_a_failure_in_time(void **state)
{
	struct bed *b = *state;
	uint64_t start = clock_mono_ms();
	struct asker a;

	b->is_silent = true;
	assert_false(ask(b, &a, "a.test."));
	run(b, &a);
	assert_int_equal(a.answer.n, 0);
	assert_in_range(clock_mono_ms() - start, 150, 3000);
}

static void a_missing_answer_for_v6_delays_nobody(void **state)
{
	struct bed *b = *state;
	uint64_t start = clock_mono_ms();
	struct asker a;

	b->is_silent_on_v6 = true;
	ask(b, &a, "a.test");
	run(b, &a);
	assert_string_equal(first(&a), "10.0.0.1");
	assert_in_range(clock_mono_ms() - start, 0, 150);
}

static void v6_serves_names_that_have_no_v4(void **state)
{
	struct bed *b = *state;
	struct asker a;

	b->has_v6 = true;
	ask(b, &a, "a.test");
	run(b, &a);
	assert_int_equal(a.answer.n, 1);
	assert_string_equal(first(&a), "10.0.0.1");
	b->name = "six.test";
	b->n_v4 = 0;
	ask(b, &a, "six.test");
	run(b, &a);
	assert_string_equal(first(&a), "::1");
}

static void short_names_are_tried_in_the_search_domains(void **state)
{
	struct bed *b = *state;
	struct asker a;

	b->name = "db.second.test";
	assert_false(ask(b, &a, "db"));
	run(b, &a);
	assert_string_equal(first(&a), "10.0.0.1");
}

static void the_hosts_file_answers_first(void **state)
{
	struct bed *b = *state;
	struct asker a;

	assert_true(ask(b, &a, "printer.LAN"));
	assert_string_equal(first(&a), "10.9.8.7");
	assert_true(ask(b, &a, "printer"));
	assert_int_equal(a.answer.n, 2);
	assert_true(ask(b, &a, "localhost"));
	assert_string_equal(first(&a), "127.0.0.1");
	assert_int_equal(b->n_asked, 0);
}

static void names_no_server_could_know_fail_at_once(void **state)
{
	struct bed *b = *state;
	char *longer = test_malloc(400);
	struct asker a;

	memset(longer, 'a', 399);
	longer[399] = '\0';
	assert_true(ask(b, &a, ""));
	assert_int_equal(a.answer.n, 0);
	assert_true(ask(b, &a, longer));
	assert_int_equal(a.answer.n, 0);
	longer[100] = '\0'; /* a label may have 63 */
	if (!ask(b, &a, longer))
		run(b, &a);
	assert_int_equal(a.answer.n, 0);
	if (!ask(b, &a, "a..b"))
		run(b, &a);
	assert_int_equal(a.answer.n, 0);
	test_free(longer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_new, bed_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(an_answer_serves_again_without_a_question),
			TEST(many_who_ask_at_once_cost_one_question),
			TEST(several_addresses_take_turns),
			TEST(an_unknown_name_fails_and_is_asked_again_later),
			TEST(an_expired_answer_serves_while_the_server_is_away),
			TEST(a_new_address_is_taken_over_after_the_ttl),
			TEST(a_server_that_never_answers_is_a_failure_in_time),
			TEST(a_missing_answer_for_v6_delays_nobody),
			TEST(v6_serves_names_that_have_no_v4),
			TEST(short_names_are_tried_in_the_search_domains),
			TEST(the_hosts_file_answers_first),
			TEST(names_no_server_could_know_fail_at_once),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
