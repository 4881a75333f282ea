/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/verbs.h"

static enum ctl_exit fail(const struct why *why)
{
	char text[1200];

	fprintf(stderr, "sluicectl: %s\n", why_text(why, text, sizeof(text)));
	return CTL_UNREACHABLE;
}

static void print_json(const json_t *doc)
{
	json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* Asks, prints, and lets `judge` say what the answer means. */
static enum ctl_exit show(const struct ctl *ctl, const char *path,
		void (*render)(const json_t *doc, FILE *out),
		enum ctl_exit (*judge)(const json_t *doc))
{
	struct why why = WHY_NONE;
	json_t *doc = NULL;
	enum ctl_exit verdict;
	int code;

	if (node_link_ask(ctl->prefix, "GET", path, &code, &doc, &why) < 0)
		return fail(&why);
	if (ctl->is_json)
		print_json(doc);
	else
		render(doc, stdout);
	verdict = judge(doc);
	json_decref(doc);
	return verdict;
}

static enum ctl_exit judge_nothing(const json_t *doc)
{
	(void)doc;
	return CTL_OK;
}

static enum ctl_exit judge_workers(const json_t *doc)
{
	static const char *const good[] = {"ready", "draining", "drained"};
	const json_t *worker;
	size_t i;

	json_array_foreach (json_object_get(doc, "workers"), i, worker) {
		const char *state = json_string_value(json_object_get(worker, "state"));
		bool is_good = false;

		for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++)
			is_good = is_good || (state != NULL && strcmp(state, good[k]) == 0);
		if (!is_good)
			return CTL_NEGATIVE;
	}
	return CTL_OK;
}

static enum ctl_exit judge_plugins(const json_t *doc)
{
	const json_t *plugin;
	size_t i;

	json_array_foreach (json_object_get(doc, "plugins"), i, plugin) {
		if (json_is_object(json_object_get(plugin, "refusal")))
			return CTL_NEGATIVE;
	}
	return CTL_OK;
}

enum ctl_exit verb_status(const struct ctl *ctl)
{
	struct why why = WHY_NONE;
	enum ctl_exit shown = show(ctl, "/status", render_status, judge_nothing);
	const char *message;
	json_t *doc = NULL;
	int code = 0;

	if (shown != CTL_OK)
		return shown;
	if (node_link_ask(ctl->prefix, "GET", "/status/ready", &code, &doc, &why) < 0)
		return fail(&why);
	message = json_string_value(json_object_get(doc, "message"));
	if (!ctl->is_json)
		printf("ready       %s%s\n", code == 200 ? "yes" : "NO: ",
				code == 200 || message == NULL ? "" : message);
	json_decref(doc);
	return code == 200 ? CTL_OK : CTL_NEGATIVE;
}

enum ctl_exit verb_workers(const struct ctl *ctl)
{
	return show(ctl, "/workers", render_workers, judge_workers);
}

enum ctl_exit verb_plugins(const struct ctl *ctl)
{
	return show(ctl, "/plugins", render_plugins, judge_plugins);
}

enum ctl_exit verb_generations(const struct ctl *ctl)
{
	return show(ctl, "/generations", render_generations, judge_nothing);
}

enum ctl_exit verb_reload(const struct ctl *ctl)
{
	struct why why = WHY_NONE;
	const char *message;
	json_t *doc = NULL;
	int code = 0;

	if (node_link_ask(ctl->prefix, "POST", "/reload", &code, &doc, &why) < 0)
		return fail(&why);
	message = json_string_value(json_object_get(doc, "message"));
	if (ctl->is_json)
		print_json(doc);
	else
		fprintf(code == 200 ? stdout : stderr, "%s\n", message != NULL ? message : "");
	json_decref(doc);
	return code == 200 ? CTL_OK : CTL_NEGATIVE;
}
