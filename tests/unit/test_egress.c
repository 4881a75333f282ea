/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_egress: entries and what they open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/egress.h"

static struct peer peer_of(const char *address, uint16_t port)
{
	struct peer p;

	assert_true(peer_parse(str_of(address), &p));
	peer_set_port(&p, port);
	return p;
}

static bool allows(const char *entries, const char *host, const char *address, uint16_t port)
{
	struct conf conf = {.plugin_egress = entries,
			.admin_listen = "127.0.0.1:8001",
			.status_listen = "127.0.0.1:8007",
			.cluster_listen = "off"};
	struct peer to = peer_of(address, port);
	sl_auto(egress) e = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(egress_new(&e, &conf, &why), 0);
	return egress_allows(e, str_of(host), &to);
}

static void any_leaves_out_what_is_local(void **state)
{
	static const char *const blocked[] = {"127.0.0.1", "127.255.255.255", "::1",
			"::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "fe80::1",
			"fd00:ec2::254", "224.0.0.1", "255.255.255.255", "ff02::1",
			"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1"};

	(void)state;
	assert_true(allows("any", "x.test", "192.0.2.1", 80));
	assert_true(allows("any", "x.test", "2001:db8::1", 80));
	assert_true(allows("any", "x.test", "10.0.0.1", 80));
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		assert_false(allows("any", "x.test", blocked[i], 80));
		assert_false(allows("0.0.0.0/0,::/0", "x.test", blocked[i], 80));
		assert_false(allows("*.test", "x.test", blocked[i], 80));
	}
}

static void an_entry_inside_a_block_opens_itself_only(void **state)
{
	(void)state;
	assert_true(allows("127.0.0.0/8", "x", "127.1.2.3", 80));
	assert_true(allows("127.0.0.2", "x", "127.0.0.2", 80));
	assert_false(allows("127.0.0.2", "x", "127.0.0.3", 80));
	assert_false(allows("126.0.0.0/7", "x", "127.0.0.1", 80));
	assert_true(allows("169.254.169.254", "x", "169.254.169.254", 80));
	assert_true(allows("::1", "x", "::1", 80));
	assert_true(allows("127.0.0.1", "x", "::ffff:127.0.0.1", 80));
}

static void ports_belong_to_their_entry(void **state)
{
	(void)state;
	assert_true(allows("any:443", "x", "192.0.2.1", 443));
	assert_false(allows("any:443", "x", "192.0.2.1", 80));
	assert_true(allows("[::1]:6379", "x", "::1", 6379));
	assert_false(allows("[::1]:6379", "x", "::1", 6380));
	assert_true(allows("192.0.2.0/24:5432", "x", "192.0.2.9", 5432));
	assert_false(allows("192.0.2.0/24:5432,10.0.0.1", "x", "192.0.2.9", 80));
}

static void a_name_is_matched_whole_and_opens_no_metadata_service(void **state)
{
	(void)state;
	assert_true(allows("api.test", "API.test.", "192.0.2.1", 80));
	assert_false(allows("api.test", "xapi.test", "192.0.2.1", 80));
	assert_false(allows("api.test", "api.test.evil", "192.0.2.1", 80));
	assert_true(allows("*.test", "a.b.test", "192.0.2.1", 80));
	assert_false(allows("*.test", "test", "192.0.2.1", 80));
	assert_false(allows("*.test", ".test", "192.0.2.1", 80));
	assert_true(allows("localhost", "localhost", "127.0.0.1", 80));
	assert_false(allows("api.test", "api.test", "169.254.169.254", 80));
}

static void off_is_nowhere(void **state)
{
	(void)state;
	assert_false(allows("off", "off", "127.0.0.1", 80));
	assert_false(allows("off", "x", "192.0.2.1", 80));
}

static void own_listeners_need_address_and_port(void **state)
{
	(void)state;
	assert_false(allows("any,127.0.0.0/8,localhost", "localhost", "127.0.0.1", 8001));
	assert_false(allows("any,127.0.0.0/8", "x", "127.0.0.1", 8007));
	assert_false(allows("localhost:8001", "localhost", "127.0.0.1", 8001));
	assert_true(allows("127.0.0.1:8001", "x", "127.0.0.1", 8001));
}

/* A cloud's name server may share its address with the metadata service. */
static void any_opens_the_nodes_name_servers_and_their_port_only(void **state)
{
	static const char *const entries[] = {"any", "any:443", "10.0.0.0/8"};
	struct peer server = peer_of("169.254.169.254", 53), web = peer_of("169.254.169.254", 80);

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct conf conf = {.plugin_egress = entries[i],
				.admin_listen = "off",
				.status_listen = "off",
				.cluster_listen = "off"};
		sl_auto(egress) e = NULL;
		struct why why = WHY_NONE;

		assert_int_equal(egress_new(&e, &conf, &why), 0);
		assert_int_equal(egress_set_servers(e, &server, 1), 0);
		assert_int_equal(egress_allows(e, STR("169.254.169.254"), &server), i == 0);
		assert_false(egress_allows(e, STR("169.254.169.254"), &web));
	}
}

static void an_own_address_is_found_by_the_local_side(void **state)
{
	struct conf conf = {.plugin_egress = "any,192.0.2.2:8001",
			.admin_listen = "0.0.0.0:8001",
			.status_listen = "off",
			.cluster_listen = "off"};
	struct peer one = peer_of("192.0.2.1", 8001), two = peer_of("192.0.2.2", 8001);
	struct peer other = peer_of("192.0.2.1", 80);
	sl_auto(egress) e = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(egress_new(&e, &conf, &why), 0);
	assert_true(egress_is_own(e, &one, &one));
	assert_false(egress_is_own(e, &one, &two));
	assert_false(egress_is_own(e, &two, &two));
	assert_false(egress_is_own(e, &other, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(any_leaves_out_what_is_local),
			cmocka_unit_test(an_entry_inside_a_block_opens_itself_only),
			cmocka_unit_test(ports_belong_to_their_entry),
			cmocka_unit_test(a_name_is_matched_whole_and_opens_no_metadata_service),
			cmocka_unit_test(off_is_nowhere),
			cmocka_unit_test(own_listeners_need_address_and_port),
			cmocka_unit_test(any_opens_the_nodes_name_servers_and_their_port_only),
			cmocka_unit_test(an_own_address_is_found_by_the_local_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
