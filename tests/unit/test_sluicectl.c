/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/text_table.h"
#include "tools/verbs.h"

/* What a renderer makes of a document; static. */
static const char *rendered(void (*render)(const json_t *doc, FILE *out), const char *text)
{
	static char result[8192];
	json_t *doc = json_loads(text, 0, NULL);
	FILE *out = fmemopen(result, sizeof(result), "w");

	assert_non_null(doc);
	assert_non_null(out);
	render(doc, out);
	fclose(out);
	json_decref(doc);
	return result;
}

static void columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right(void **state)
{
	static const char *const heads[] = {"NAME", ">N", "LAST", NULL};
	sl_auto(text_table) t = NULL;
	char out[256];
	FILE *f = fmemopen(out, sizeof(out), "w");

	(void)state;
	assert_int_equal(text_table_new(&t, heads), 0);
	text_table_cell(t, "a");
	text_table_cell(t, "%d", 7);
	text_table_cell(t, "x");
	text_table_cell(t, "longer-name");
	text_table_cell(t, "%d", 1234);
	text_table_cell(t, "y");
	assert_int_equal(text_table_print(t, f), 0);
	fclose(f);
	assert_string_equal(out, "NAME            N  LAST\n"
				 "a               7  x\n"
				 "longer-name  1234  y\n");
}

static void text_from_a_plugin_cannot_drive_the_terminal(void **state)
{
	const char *out = rendered(render_plugins,
			"{\"plugins\":[{\"name\":\"evil\\u001b[2J\\n\",\"version\":\"\"}]}");

	(void)state;
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, "evil?[2J?"));
}

static void a_refused_plugin_is_told_with_file_and_line(void **state)
{
	const char *out = rendered(render_plugins,
			"{\"plugins\":[{\"name\":\"p\",\"version\":\"0123456789abcdef\",\"state\":"
			"\"rejected\",\"workers_active\":2,\"workers_total\":2,\"phases\":["
			"\"access\","
			"\"log\"],\"refusal\":{\"file\":\"handler.lua\",\"line\":3,\"message\":"
			"\"no "
			"luck\"}}]}");

	(void)state;
	assert_non_null(strstr(out, "0123456789ab "));
	assert_non_null(strstr(out, "access,log"));
	assert_non_null(strstr(out, "p: handler.lua:3: no luck"));
}

static void a_lost_control_plane_is_told_with_its_reason(void **state)
{
	const char *out = rendered(render_status,
			"{\"sluice\":{\"generation\":7,\"control_stream\":{\"connected\":false,"
			"\"since_ms\":65000,\"last_error\":\"Connection refused\"}}}");

	(void)state;
	assert_non_null(strstr(out, "NOT connected for 65 s: Connection refused"));
}

static void only_kinds_that_there_are_any_of_are_named(void **state)
{
	(void)state;
	assert_non_null(strstr(
			rendered(render_status, "{\"sluice\":{\"snapshot\":{\"entities\":{"
						"\"services\":2,\"routes\":0,\"plugins\":1}}}}"),
			"entities    2 services, 1 plugins\n"));
	assert_non_null(strstr(rendered(render_status, "{\"sluice\":{\"snapshot\":{\"entities\":{"
						       "\"routes\":0}}}}"),
			"entities    none\n"));
}

static void an_answer_without_the_fields_we_know_is_no_crash(void **state)
{
	(void)state;
	rendered(render_status, "{}");
	rendered(render_status, "{\"sluice\":[],\"server\":1}");
	rendered(render_workers, "{\"workers\":[1,null,{}]}");
	rendered(render_plugins, "{\"plugins\":{\"a\":1}}");
	rendered(render_plugins, "{\"plugins\":[{\"phases\":[1,\"log\",null]}]}");
	rendered(render_generations, "{\"generations\":[{\"rejections\":[5,{}]}]}");
}

static void a_prefix_without_a_node_is_unreachable_and_says_what_to_do(void **state)
{
	struct why why = WHY_NONE;
	json_t *doc = NULL;
	int code;

	(void)state;
	assert_int_equal(node_link_ask("/nonexistent", "GET", "/status", &code, &doc, &why),
			-ENOENT);
	assert_non_null(strstr(why.text, "no node runs on this prefix"));
	assert_null(doc);
}

static void every_verb_has_a_summary_help_and_a_function(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++, n++) {
		assert_true(strlen(v->summary) > 5);
		assert_true(strlen(v->help) > 5);
		assert_non_null(v->run);
	}
	assert_true(n >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right),
			cmocka_unit_test(text_from_a_plugin_cannot_drive_the_terminal),
			cmocka_unit_test(a_refused_plugin_is_told_with_file_and_line),
			cmocka_unit_test(a_lost_control_plane_is_told_with_its_reason),
			cmocka_unit_test(only_kinds_that_there_are_any_of_are_named),
			cmocka_unit_test(an_answer_without_the_fields_we_know_is_no_crash),
			cmocka_unit_test(
					a_prefix_without_a_node_is_unreachable_and_says_what_to_do),
			cmocka_unit_test(every_verb_has_a_summary_help_and_a_function),
	};

	return cmocka_run_group_tests_name("sluicectl", tests, NULL, NULL);
}
