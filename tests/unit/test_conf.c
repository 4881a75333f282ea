/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "shm/conf.h"

static char file[] = "/tmp/sluice-conf-XXXXXX";

static int load(const char *text, struct conf **ret, struct why *why)
{
	sl_auto_file FILE *f = fopen(file, "we");

	*why = WHY_NONE;
	*ret = NULL;
	assert_non_null(f);
	fputs(text, f);
	fflush(f);
	return conf_load(ret, file, why);
}

static void without_a_file_every_key_has_its_default(void **state)
{
	sl_auto(conf) c = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(conf_load(&c, NULL, &why), 0);
	assert_string_equal(c->role, "traditional");
	assert_string_equal(c->proxy_listen, "0.0.0.0:8000, 0.0.0.0:8443 ssl");
	assert_int_equal(c->plugin_limits_cpu_ms, 10);
	assert_int_equal(c->cluster_max_payload, 16777216);
	assert_true(c->custom_plugin_streaming_enabled);
	assert_true(conf_workers(c) >= 1);
}

static void the_file_overrides_defaults_and_the_environment_the_file(void **state)
{
	sl_auto(conf) c = NULL;
	struct why why;

	(void)state;
	setenv("SLUICE_LOG_LEVEL", "debug", 1);
	assert_int_equal(load("---\nprefix: /srv/x/\nlog_level: warn\nworkers: 3\nheader_max: 64k\n"
			      "admin_listen: [127.0.0.1:1, '[::1]:2']\nreal_ip_recursive: true\n"
			      "declarative_config:\nplugin_limits:\n  cpu_ms: 25\n  memory_mb: 8\n",
					 &c, &why),
			0);
	unsetenv("SLUICE_LOG_LEVEL");
	assert_string_equal(c->prefix, "/srv/x");
	assert_string_equal(c->log_level, "debug");
	assert_int_equal(conf_workers(c), 3);
	assert_int_equal(c->header_max, 65536);
	assert_string_equal(c->admin_listen, "127.0.0.1:1,[::1]:2");
	assert_true(c->real_ip_recursive);
	assert_int_equal(c->plugin_limits_cpu_ms, 25);
	assert_int_equal(c->plugin_limits_memory_mb, 8);
}

static const struct {
	const char *text;
	int line;
	const char *says;
} refused[] = {
		{"role: traditional\nproxy_lisen: 1\n", 2, "did you mean proxy_listen?"},
		{"zzzzzzzzzzzzzzz: 1\n", 1, "--help-config"},
		{"plugin_limits:\n  cpu: 1\n", 2, "did you mean plugin_limits_cpu_ms?"},
		{"plugin_limits: 3\n", 1, "unknown key"},
		{"role: tradtional\n", 1, "is not one of: traditional control_plane data_plane"},
		{"\n\nplugin_limits_cpu_ms: 0\n", 3, "out of range: 1 to 60000"},
		{"plugin_limits_cpu_ms: -1\n", 1, "not a whole number"},
		{"plugin_limits_cpu_ms: 5000000000\n", 1, "not a whole number"},
		{"header_max: 1t\n", 1, "units: k, m, g"},
		{"header_max: 99999999999999999999g\n", 1, "units: k, m, g"},
		{"proxy_listen: localhost:80\n", 1, "is not address:port"},
		{"proxy_listen: 1.2.3.4:0\n", 1, "is not address:port"},
		{"proxy_listen: 1.2.3.4:80,[::1]\n", 1, "\"[::1]\" is not address:port"},
		{"trusted_ips: 10.0.0.0/33\n", 1, "not an address or CIDR"},
		{"workers: many\n", 1, "must be auto or a number from 1 to 64"},
		{"workers: 65\n", 1, "must be auto or a number from 1 to 64"},
		{"allow_debug_header: maybe\n", 1, "neither on nor off"},
		{"prefix: ''\n", 1, "must not be empty"},
		{"prefix: \"a\\0b\"\n", 1, "NUL"},
		{"prefix: [a]\n", 1, "takes one value"},
		{"prefix: {a: b}\n", 1, "takes a value"},
		{"role: traditional\nrole: traditional\n", 2, "given twice"},
		{"- a\n", 1, "key: value"},
		{"role: [\n", 2, "not YAML"},
		{"role: \"\xff\"\n", 1, "not YAML"},
		{"? [a]\n: b\n", 1, "a key is not text"},
		{"headers: server_tokens,X-Wrong\n", 1, "\"X-Wrong\" is not one of"},
		{"cluster_control_plane: nowhere\n", 1, "is not host:port"},
		{"node_labels: a\n", 1, "not name=value"},
		{"dns_resolver: example.com\n", 1, "not a numeric address"},
		{"cluster_cert: /x\n", 0, "must be given together"},
		{"role: data_plane\ncluster_control_plane: off\n", 0,
				"needs cluster_control_plane"},
		{"declarative_config: /x\n", 0, "database: off"},
		{"admin_listen: 0.0.0.0:8000\n", 0,
				"proxy_listen and admin_listen are both 0.0.0.0:8000"},
		{"proxy_listen: \"80, 81\"\nstatus_listen: 81\n", 0, "are both 81"},
};

static void a_bad_file_is_refused_with_line_and_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct conf *c = NULL;
		struct why why;

		if (load(refused[i].text, &c, &why) != -EINVAL)
			fail_msg("accepted: %s", refused[i].text);
		assert_null(c);
		if (strstr(why.text, refused[i].says) == NULL || why.line != refused[i].line)
			fail_msg("%s gave %s:%d: %s", refused[i].text, why.file, why.line,
					why.text);
	}
}

static void a_bad_environment_variable_is_named(void **state)
{
	struct conf *c = NULL;
	struct why why;

	(void)state;
	setenv("SLUICE_ROLE", "boss", 1);
	assert_int_equal(load("", &c, &why), -EINVAL);
	unsetenv("SLUICE_ROLE");
	assert_string_equal(why.file, "SLUICE_ROLE");
}

static void a_missing_file_and_a_directory_are_errors(void **state)
{
	struct conf *c = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(conf_load(&c, "/nonexistent/sluice.yaml", &why), -ENOENT);
	assert_int_equal(conf_load(&c, "/", &why), -EISDIR);
}

static void a_prefix_too_long_for_sockets_below_it_is_refused(void **state)
{
	char text[256] = "prefix: /";
	struct conf *c = NULL;
	struct why why;

	(void)state;
	memset(text + 9, 'x', 120);
	assert_int_equal(load(text, &c, &why), -EINVAL);
	assert_non_null(strstr(why.text, "shorter path"));
}

static void a_child_gets_the_same_values_from_the_sealed_memfd(void **state)
{
	sl_auto(conf) c = NULL;
	sl_auto(conf) child = NULL;
	sl_auto_fd int fd = -1;
	sl_auto_mem char *path = NULL;
	struct why why;

	(void)state;
	assert_int_equal(load("prefix: rel/dir\nheader_max: 1m\nheaders: off\nworkers: 2\n", &c,
					 &why),
			0);
	fd = conf_to_fd(c, &why);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(conf_from_fd(&child, fd, &why), 0);
	assert_string_equal(child->prefix, c->prefix);
	assert_int_equal(child->prefix[0], '/');
	assert_int_equal(child->header_max, 1048576);
	assert_string_equal(child->headers, "off");
	path = conf_path(child, "node.id");
	assert_non_null(strstr(path, "/rel/dir/node.id"));
}

static void an_fd_with_anything_else_in_it_is_refused(void **state)
{
	static const char *const bad[] = {"", "x", "role", "role\0boss\0", "role\0traditional"};
	static const size_t n[] = {0, 1, 4, 10, 16};
	struct why why = WHY_NONE;
	struct conf *c = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		sl_auto_fd int fd = open(file, O_RDWR | O_TRUNC);

		assert_int_equal(write(fd, bad[i], n[i]), n[i]);
		assert_int_equal(conf_from_fd(&c, fd, &why), -EINVAL);
	}
	assert_int_equal(conf_from_fd(&c, -1, &why), -EBADF);
	assert_null(c);
}

static void lists_are_walked_member_by_member(void **state)
{
	const char *at = " a , b,,off, c";
	struct str member;

	(void)state;
	assert_true(conf_list_next(&at, &member) && str_eq(member, STR("a")));
	assert_true(conf_list_next(&at, &member) && str_eq(member, STR("b")));
	assert_true(conf_list_next(&at, &member) && str_eq(member, STR("c")));
	assert_false(conf_list_next(&at, &member));
	at = "off";
	assert_false(conf_list_next(&at, &member));
}

static void addresses_come_apart(void **state)
{
	struct conf_address a;

	(void)state;
	assert_int_equal(conf_parse_address(STR("8000"), &a, NULL), 0);
	assert_string_equal(a.host, "0.0.0.0");
	assert_int_equal(a.port, 8000);
	assert_int_equal(conf_parse_address(STR("[::]:8443 ssl"), &a, NULL), 0);
	assert_string_equal(a.host, "::");
	assert_true(a.is_v6 && a.is_tls && !a.is_dual);
	assert_int_equal(conf_parse_address(STR("[::]:8000 ipv6only=off"), &a, NULL), 0);
	assert_true(a.is_v6 && a.is_dual && !a.is_tls);
	assert_int_equal(conf_parse_address(STR("[::]:8443  ssl ipv6only=off"), &a, NULL), 0);
	assert_true(a.is_dual && a.is_tls);
	assert_int_equal(conf_parse_address(STR("[::]:8443 ipv6only=on ssl"), &a, NULL), 0);
	assert_true(!a.is_dual && a.is_tls);
	assert_int_equal(conf_parse_address(STR("0.0.0.0:1 ipv6only=off"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("[::]:1 ipv6only"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("[::]:1 http3"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("[::]:1ipv6only=off"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("[1.2.3.4]:1"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("[]:1"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("1.2.3.4:65536"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR("ssl"), &a, NULL), -EINVAL);
	assert_int_equal(conf_parse_address(STR(""), &a, NULL), -EINVAL);
}

static void the_printed_help_uncommented_is_a_valid_file(void **state)
{
	sl_auto_buf text = {.p = NULL};
	sl_auto(conf) c = NULL;
	sl_auto_mem char *help = NULL;
	struct why why;
	size_t n = 0;
	FILE *f = open_memstream(&help, &n);

	(void)state;
	conf_print_help(f);
	fclose(f);
	for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (line[0] == '#' && line[1] != ' ')
			buf_printf(&text, "%s\n", line + 1);
	if (load(buf_z(&text), &c, &why) != 0)
		fail_msg("line %d: %s", why.line, why.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(without_a_file_every_key_has_its_default),
			cmocka_unit_test(the_file_overrides_defaults_and_the_environment_the_file),
			cmocka_unit_test(a_bad_file_is_refused_with_line_and_reason),
			cmocka_unit_test(a_bad_environment_variable_is_named),
			cmocka_unit_test(a_missing_file_and_a_directory_are_errors),
			cmocka_unit_test(a_prefix_too_long_for_sockets_below_it_is_refused),
			cmocka_unit_test(a_child_gets_the_same_values_from_the_sealed_memfd),
			cmocka_unit_test(an_fd_with_anything_else_in_it_is_refused),
			cmocka_unit_test(lists_are_walked_member_by_member),
			cmocka_unit_test(addresses_come_apart),
			cmocka_unit_test(the_printed_help_uncommented_is_a_valid_file),
	};
	int r, fd = mkstemp(file);

	if (fd < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests_name("conf", tests, NULL, NULL);
	unlink(file);
	return r;
}
