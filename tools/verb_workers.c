/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/verbs.h"

#define POLL_US 50000
#define POLLS_MAX 6000

static json_int_t number_of(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(doc, "replacements"), key));
}

static enum ctl_exit refuse(const struct why *why)
{
	char text[1200];

	fprintf(stderr, "sluicectl: %s\n", why_text(why, text, sizeof(text)));
	return CTL_UNREACHABLE;
}

static enum ctl_exit finish(const struct ctl *ctl, const json_t *doc, json_int_t failed_before)
{
	bool is_failed = number_of(doc, "failed") != failed_before;

	if (ctl->is_json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		render_workers(doc, stdout);
	}
	if (is_failed)
		fputs("sluicectl: a new process did not become ready: the old one goes on; the log "
		      "says why\n",
				stderr);
	return is_failed ? CTL_NEGATIVE : CTL_OK;
}

static bool is_settled(const json_t *doc)
{
	const json_t *w;
	size_t i;

	json_array_foreach (json_object_get(doc, "workers"), i, w) {
		const char *state = json_string_value(json_object_get(w, "state"));

		if (state != NULL && (strcmp(state, "starting") == 0 || strcmp(state, "down") == 0))
			return false;
	}
	return number_of(doc, "waiting") == 0;
}

/* Until nothing waits to be replaced and nothing starts any more.  Takes the document over. */
static enum ctl_exit await(const struct ctl *ctl, json_t *doc, json_int_t failed_before)
{
	struct why why = WHY_NONE;
	enum ctl_exit end;
	int code = 200;

	for (int i = 0; i < POLLS_MAX && !is_settled(doc); i++) {
		usleep(POLL_US);
		json_decref(doc);
		if (node_link_ask(ctl->prefix, "GET", "/workers", &code, &doc, &why) < 0)
			return refuse(&why);
	}
	end = finish(ctl, doc, failed_before);
	json_decref(doc);
	return end;
}

static enum ctl_exit order(const struct ctl *ctl, const char *path)
{
	struct why why = WHY_NONE;
	const char *message;
	json_int_t failed;
	json_t *doc = NULL;
	int code = 0;

	if (node_link_ask(ctl->prefix, "GET", "/workers", &code, &doc, &why) < 0)
		return refuse(&why);
	failed = number_of(doc, "failed");
	json_decref(doc);
	if (node_link_ask(ctl->prefix, "POST", path, &code, &doc, &why) < 0)
		return refuse(&why);
	if (code == 200)
		return await(ctl, doc, failed);
	message = json_string_value(json_object_get(doc, "message"));
	fprintf(stderr, "sluicectl: %s\n", message != NULL ? message : "refused");
	json_decref(doc);
	return code == 400 ? CTL_USAGE : CTL_NEGATIVE;
}

enum ctl_exit verb_workers_scale(const struct ctl *ctl)
{
	char path[64];
	uint64_t n;

	if (!str_to_u64(str_of(ctl->args[0]), &n) || n > 1000000) {
		fprintf(stderr, "sluicectl: \"%s\" is not a number of workers\n", ctl->args[0]);
		return CTL_USAGE;
	}
	snprintf(path, sizeof(path), "/workers/scale?n=%u", (unsigned)n);
	return order(ctl, path);
}

enum ctl_exit verb_workers_restart(const struct ctl *ctl)
{
	char path[64] = "/workers/restart";
	uint64_t n;

	if (ctl->n_args == 0)
		return order(ctl, path);
	if (!str_to_u64(str_of(ctl->args[0]), &n) || n > 1000000) {
		fprintf(stderr, "sluicectl: \"%s\" is not the number of a worker\n", ctl->args[0]);
		return CTL_USAGE;
	}
	snprintf(path, sizeof(path), "/workers/restart?worker=%u", (unsigned)n);
	return order(ctl, path);
}
