/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tools/duration.h"
#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/verbs.h"

#define POLL_MS 100
/* A load balancer that still sends does so more often. */
#define QUIET_MS 1000
#define NODE UINT64_MAX

struct drained {
	const struct ctl *ctl;
	uint64_t worker; /* or NODE */
	json_t *doc;     /* /workers */
	json_int_t connections, requests, accepted;
	uint64_t quiet_since_ms; /* since then `accepted` has not changed */
};

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* What is open there now. */
static void look(struct drained *d)
{
	json_int_t accepted = 0;
	const json_t *w;
	size_t i;

	d->connections = d->requests = 0;
	json_array_foreach (json_object_get(d->doc, "workers"), i, w) {
		if (d->worker != NODE && (uint64_t)number_of(w, "slot") != d->worker)
			continue;
		d->connections += number_of(w, "connections_active");
		d->requests += number_of(w, "requests_active");
		accepted += number_of(w, "connections_accepted");
	}
	if (accepted != d->accepted || d->quiet_since_ms == 0)
		d->quiet_since_ms = clock_mono_ms();
	d->accepted = accepted;
}

static bool is_empty(const struct drained *d)
{
	return d->connections == 0 &&
	       (d->worker != NODE || clock_mono_ms() - d->quiet_since_ms >= QUIET_MS);
}

static enum ctl_exit unreachable(const struct why *why)
{
	char text[1200];

	fprintf(stderr, "sluicectl: %s\n", why_text(why, text, sizeof(text)));
	return CTL_UNREACHABLE;
}

static enum ctl_exit ask(struct drained *d, const char *method, const char *path)
{
	struct why why = WHY_NONE;
	const char *message;
	int code = 0;

	json_decref(d->doc);
	d->doc = NULL;
	if (node_link_ask(d->ctl->prefix, method, path, &code, &d->doc, &why) < 0)
		return unreachable(&why);
	if (code == 200)
		return CTL_OK;
	message = json_string_value(json_object_get(d->doc, "message"));
	fprintf(stderr, "sluicectl: %s\n", message != NULL ? message : "refused");
	return code == 400 ? CTL_USAGE : CTL_NEGATIVE;
}

static void show(const struct drained *d, bool is_done)
{
	if (d->ctl->is_json) {
		json_dumpf(d->doc, stdout, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	render_workers(d->doc, stdout);
	if (!d->ctl->is_cancel && is_done)
		puts("nothing is left");
	else if (!d->ctl->is_cancel)
		printf("left: %lld connections, %lld requests in hand\n", (long long)d->connections,
				(long long)d->requests);
}

static enum ctl_exit await(struct drained *d, uint64_t timeout_ms)
{
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	enum ctl_exit end = CTL_OK;

	look(d);
	while (end == CTL_OK && !is_empty(d) && clock_mono_ms() < until_ms) {
		usleep(POLL_MS * 1000);
		end = ask(d, "GET", "/workers");
		look(d);
	}
	if (end != CTL_OK)
		return end;
	show(d, d->connections == 0);
	return d->connections == 0 ? CTL_OK : CTL_NEGATIVE;
}

static enum ctl_exit run(struct drained *d, uint64_t timeout_ms)
{
	char path[96], of[32] = "";
	enum ctl_exit end;

	if (d->worker != NODE)
		snprintf(of, sizeof(of), "worker=%u&", (unsigned)d->worker);
	if (d->ctl->is_cancel)
		snprintf(path, sizeof(path), "/drain/cancel?%s", of);
	else
		snprintf(path, sizeof(path), "/drain?%stimeout_ms=%u", of, (unsigned)timeout_ms);
	end = ask(d, "POST", path);
	if (end != CTL_OK)
		return end;
	if (!d->ctl->is_cancel)
		return await(d, timeout_ms);
	show(d, true);
	return CTL_OK;
}

enum ctl_exit verb_drain(const struct ctl *ctl)
{
	struct drained d = {.ctl = ctl, .worker = NODE};
	uint64_t timeout_ns = (uint64_t)ctl->conf->shutdown_timeout_ms * 1000000;
	enum ctl_exit end;

	if (ctl->n_args == 1 &&
			(!str_to_u64(str_of(ctl->args[0]), &d.worker) || d.worker > 1000000)) {
		fprintf(stderr, "sluicectl: \"%s\" is not the number of a worker\n", ctl->args[0]);
		return CTL_USAGE;
	}
	if (ctl->timeout != NULL && (!duration_parse(ctl->timeout, &timeout_ns) ||
						    timeout_ns > 86400000000000U)) {
		fputs("sluicectl: --timeout takes a duration of up to a day: 500ms, 30s\n", stderr);
		return CTL_USAGE;
	}
	end = run(&d, timeout_ns / 1000000);
	json_decref(d.doc);
	return end;
}
