/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tools/duration.h"
#include "tools/node_link.h"
#include "tools/verbs.h"

#define POLL_MS 50
#define CHECK_MS 10000
#define CHECK_MS_MAX 600000
/* A node that was there a moment ago: while it becomes the new program it does not answer. */
#define SILENCE_MS 60000

static const char *text_at(const json_t *doc, const char *object, const char *key)
{
	const json_t *from = object != NULL ? json_object_get(doc, object) : doc;
	const char *s = json_string_value(json_object_get(from, key));

	return s != NULL ? s : "";
}

static enum ctl_exit unreachable(const struct why *why)
{
	char text[1200];

	fprintf(stderr, "sluicectl: %s\n", why_text(why, text, sizeof(text)));
	return CTL_UNREACHABLE;
}

static bool is_over(const json_t *doc)
{
	const char *state = text_at(doc, NULL, "state");

	return strcmp(state, "checking") != 0 && strcmp(state, "waiting") != 0 &&
	       strcmp(state, "replacing") != 0;
}

static void print_side(const json_t *doc, const char *name)
{
	printf("%-6s %s (build %s), %s\n", name, text_at(doc, name, "version"),
			text_at(doc, name, "build"), text_at(doc, name, "program"));
}

static enum ctl_exit finish(const struct ctl *ctl, const json_t *doc)
{
	const char *state = text_at(doc, NULL, "state");
	bool is_done = strcmp(state, "done") == 0;

	if (ctl->is_json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (is_done) {
		print_side(doc, "from");
		print_side(doc, "to");
	}
	if (!is_done)
		fprintf(stderr, "sluicectl: upgrade %s: %s\n", state, text_at(doc, NULL, "reason"));
	return is_done ? CTL_OK : CTL_NEGATIVE;
}

/* Takes the document over. */
static enum ctl_exit await(const struct ctl *ctl, json_t *doc)
{
	uint64_t heard_ms = clock_mono_ms();
	struct why why = WHY_NONE;
	enum ctl_exit end;
	json_t *fresh = NULL;
	int code = 200;

	while (!is_over(doc)) {
		usleep(POLL_MS * 1000);
		if (node_link_ask(ctl->prefix, "GET", "/upgrade", &code, &fresh, &why) == 0) {
			heard_ms = clock_mono_ms();
			json_decref(doc);
			doc = fresh;
		} else if (clock_mono_ms() - heard_ms > SILENCE_MS) {
			json_decref(doc);
			return unreachable(&why);
		}
	}
	end = finish(ctl, doc);
	json_decref(doc);
	return end;
}

/* Every byte but the plainest as %XX. */
static void add_escaped(struct buf *out, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._~/";

	for (; *s != '\0'; s++) {
		if (strchr(plain, *s) != NULL)
			buf_add(out, s, 1);
		else
			buf_printf(out, "%%%02X", (uint8_t)*s);
	}
}

/* What the operator means is relative to here, not to sluiced.  A symbolic link stays one: by and
 * by it leads elsewhere. */
static bool add_binary(struct buf *out, const char *binary)
{
	char here[PATH_MAX] = "";

	if (access(binary, F_OK) < 0 || (binary[0] != '/' && getcwd(here, sizeof(here)) == NULL)) {
		fprintf(stderr, "sluicectl: %s: %s\n", binary, strerror(errno));
		return false;
	}
	buf_printf(out, "&binary=");
	add_escaped(out, here);
	if (binary[0] != '/')
		add_escaped(out, "/");
	add_escaped(out, binary);
	return true;
}

enum ctl_exit verb_upgrade(const struct ctl *ctl)
{
	uint64_t check_ns = (uint64_t)CHECK_MS * 1000000;
	sl_auto_buf path = {.p = NULL};
	struct why why = WHY_NONE;
	json_t *doc = NULL;
	int code = 0;

	if (ctl->timeout != NULL &&
			(!duration_parse(ctl->timeout, &check_ns) || check_ns < 1000000 ||
					check_ns > (uint64_t)CHECK_MS_MAX * 1000000)) {
		fputs("sluicectl: --timeout takes a duration of 1ms to 600s\n", stderr);
		return CTL_USAGE;
	}
	buf_printf(&path, "/upgrade?timeout_ms=%u", (unsigned)(check_ns / 1000000));
	if (ctl->n_args == 1 && !add_binary(&path, ctl->args[0]))
		return CTL_USAGE;
	if (buf_z(&path) == NULL)
		return CTL_NEGATIVE;
	if (node_link_ask(ctl->prefix, "POST", path.p, &code, &doc, &why) < 0)
		return unreachable(&why);
	if (code == 200)
		return await(ctl, doc);
	fprintf(stderr, "sluicectl: %s\n", text_at(doc, NULL, "message"));
	json_decref(doc);
	return CTL_NEGATIVE;
}
