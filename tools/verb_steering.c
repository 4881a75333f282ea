/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/text_table.h"
#include "tools/verbs.h"

static long long number_of(const json_t *doc, const char *key)
{
	return (long long)json_integer_value(json_object_get(doc, key));
}

static void print_mode(const json_t *doc)
{
	const char *mode = render_text(doc, "mode"), *wanted = render_text(doc, "mode_wanted");
	bool is_bpf = json_is_true(json_object_get(doc, "bpf"));

	printf("mode        %s, %s\n", mode, is_bpf ? "by eBPF" : "without eBPF");
	if (strcmp(mode, wanted) != 0)
		printf("wanted      %s\n", wanted);
	if (render_text(doc, "reason")[0] != '\0')
		printf("reason      %s%s%s%s\n", render_text(doc, "reason"),
				render_text(doc, "failed_step")[0] != '\0' ? " (step: " : "",
				render_text(doc, "failed_step"),
				render_text(doc, "failed_step")[0] != '\0' ? ")" : "");
	printf("migration   %s\n", render_text(doc, "migration"));
	if (is_bpf)
		printf("pins        %s\n", render_text(doc, "pin_dir")[0] != '\0'
							   ? render_text(doc, "pin_dir")
							   : render_text(doc, "pin_error"));
}

static void print_counts(const json_t *doc)
{
	const json_t *v;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)json_object_get(doc, "counts"), key, v)
		printf("%-11s %lld\n", key, (long long)json_integer_value(v));
}

static void print_workers(const json_t *doc)
{
	static const char *const heads[] = {">SLOT", "OPEN", ">CONNECTIONS", ">WAITING",
			">ASSIGNED", ">MIGRATED", NULL};
	sl_auto(text_table) t = NULL;
	const json_t *w;
	size_t i;

	if (text_table_new(&t, heads) < 0)
		return;
	json_array_foreach (json_object_get(doc, "workers"), i, w) {
		text_table_cell(t, "%lld", number_of(w, "slot"));
		text_table_cell(t, "%s", json_is_true(json_object_get(w, "open")) ? "yes" : "no");
		text_table_cell(t, "%lld", number_of(w, "connections"));
		text_table_cell(t, "%lld", number_of(w, "waiting"));
		text_table_cell(t, "%lld", number_of(w, "assigned"));
		text_table_cell(t, "%lld", number_of(w, "migrated"));
	}
	text_table_print(t, stdout);
}

static void show(const struct ctl *ctl, const json_t *doc)
{
	if (ctl->is_json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	print_mode(doc);
	print_counts(doc);
	print_workers(doc);
}

enum ctl_exit verb_steering(const struct ctl *ctl)
{
	struct why why = WHY_NONE;
	char path[128] = "/steering", text[1200];
	json_t *doc = NULL;
	int code = 0;

	if (ctl->n_args == 1)
		snprintf(path, sizeof(path), "/steering?mode=%.64s", ctl->args[0]);
	if (strcspn(path, " #%\r\n") != strlen(path)) {
		fprintf(stderr, "sluicectl: \"%s\" is no mode\n", ctl->args[0]);
		return CTL_USAGE;
	}
	if (node_link_ask(ctl->prefix, ctl->n_args == 1 ? "POST" : "GET", path, &code, &doc, &why) <
			0) {
		fprintf(stderr, "sluicectl: %s\n", why_text(&why, text, sizeof(text)));
		return CTL_UNREACHABLE;
	}
	if (code == 200)
		show(ctl, doc);
	else
		fprintf(stderr, "sluicectl: %s\n", render_text(doc, "message"));
	json_decref(doc);
	return code == 200 ? CTL_OK : code == 400 ? CTL_USAGE : CTL_NEGATIVE;
}
