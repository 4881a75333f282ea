/* SPDX-License-Identifier: Apache-2.0 */
#include "master/hello.h"

#include <string.h>

#define PROTOCOL 1
#define LABELS_MAX 32
#define LABEL_BYTES 128

struct labels {
	size_t n;
	Sluice__Stream__V1__Label all[LABELS_MAX], *pointers[LABELS_MAX];
	char texts[LABELS_MAX][LABEL_BYTES];
};

static ProtobufCBinaryData binary(struct str s)
{
	return (ProtobufCBinaryData){
			.len = s.n, .data = (uint8_t *)(uintptr_t)(s.n != 0 ? s.p : NULL)};
}

/* conf node_labels: "name=value, …" */
static void read_labels(const char *list, struct labels *ret)
{
	struct str item;
	char *eq;

	for (ret->n = 0; ret->n < LABELS_MAX && conf_list_next(&list, &item); ret->n++) {
		Sluice__Stream__V1__Label *label = &ret->all[ret->n];
		char *text = ret->texts[ret->n];

		snprintf(text, LABEL_BYTES, "%.*s", STR_ARG(str_head(item, LABEL_BYTES - 1)));
		sluice__stream__v1__label__init(label);
		label->name = text;
		eq = strchr(text, '=');
		if (eq != NULL) {
			*eq = '\0';
			label->value = eq + 1;
		}
		ret->pointers[ret->n] = label;
	}
}

int hello_send(struct stream_client *client, const struct node *node, const struct snap_view *held)
{
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	Sluice__Stream__V1__Hello hello;
	struct labels labels;

	sluice__stream__v1__hello__init(&hello);
	read_labels(node->conf->node_labels, &labels);
	hello.n_labels = labels.n;
	hello.labels = labels.pointers;
	hello.node_id = (char *)(uintptr_t)node->id;
	hello.hostname = (char *)(uintptr_t)node->hostname;
	hello.version = (char[]){PACKAGE_VERSION};
	hello.protocol = PROTOCOL;
	hello.max_message_bytes = node->conf->cluster_max_payload;
	if (held != NULL) {
		hello.epoch = binary(snap_view_epoch(held));
		hello.generation = snap_view_generation(held);
		hello.digest = binary(snap_view_digest(held));
	}
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_HELLO;
	m.hello = &hello;
	return stream_client_send(client, &m);
}
