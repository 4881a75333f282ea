/* SPDX-License-Identifier: Apache-2.0
 *
 * /metrics of the Admin API: what the status API of this node prints, and the nodes that this
 * control plane feeds.
 */
#include <string.h>

#include "base/buf.h"
#include "control/admin_path.h"
#include "control/feed.h"
#include "control/node_status.h"

#define TYPE "text/plain; version=0.0.4; charset=utf-8"

static const char *text_of(const json_t *node, const char *key)
{
	const char *text = json_string_value(json_object_get(node, key));

	return text != NULL ? text : "";
}

/* A label: a node says what it likes of itself. */
static void add_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_add(out, "\\", 1);
		if ((unsigned char)*value >= ' ')
			buf_add(out, value, 1);
	}
	buf_add(out, "\"", 1);
}

static json_int_t last_seen(const json_t *node)
{
	return json_integer_value(json_object_get(node, "last_seen"));
}

static json_int_t config_hash(const json_t *node)
{
	return json_integer_value(json_object_get(node, "generation"));
}

static json_int_t is_compatible(const json_t *node)
{
	return strcmp(text_of(node, "sync_status"), "normal") == 0;
}

static const struct family {
	const char *name, *help;
	json_int_t (*value)(const json_t *node);
	bool has_version;
} families[] = {
		{"kong_data_plane_last_seen",
				"Last time data plane contacted control plane, Unix time in "
				"seconds.",
				last_seen, false},
		{"kong_data_plane_config_hash",
				"Config hash value of the data plane: its generation, equal where "
				"the "
				"configuration is.",
				config_hash, false},
		{"kong_data_plane_version_compatible",
				"Version compatible status of the data plane, 0 is incompatible.",
				is_compatible, true},
};

static void add_family(struct buf *out, const struct family *f, const json_t *nodes)
{
	const json_t *node;
	size_t i;

	buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", f->name, f->help, f->name);
	json_array_foreach (nodes, i, node) {
		buf_printf(out, "%s{", f->name);
		add_label(out, "node_id", text_of(node, "id"));
		buf_add(out, ",", 1);
		add_label(out, "hostname", text_of(node, "hostname"));
		buf_add(out, ",", 1);
		add_label(out, "ip", text_of(node, "ip"));
		if (f->has_version) {
			buf_add(out, ",", 1);
			add_label(out, "kong_version", text_of(node, "version"));
		}
		buf_printf(out, "} %lld\n", (long long)f->value(node));
	}
}

static void metrics_reply(void *arg, struct str node)
{
	struct admin_call *call = arg;
	json_t *nodes = call->parts->feed != NULL ? feed_nodes(call->parts->feed) : json_array();
	sl_auto_buf out = {0};

	if (node.p != NULL)
		buf_add_str(&out, node);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		add_family(&out, &families[i], nodes);
	json_decref(nodes);
	if (out.is_failed)
		admin_message(call, 500, "out of memory");
	else
		admin_text(call, 200, TYPE, buf_str(&out));
}

void admin_metrics(struct admin_call *call)
{
	node_status_text(call->parts->base, call->parts->model->conf, "/metrics", metrics_reply,
			call);
}
