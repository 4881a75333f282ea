/* SPDX-License-Identifier: Apache-2.0
 *
 * The Admin API's HTTP server: one call per request, answered at once or later.
 * evhttp; bodies up to ADMIN_BODY_MAX bytes.  What a path means: control/admin_path.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "control/admin_form.h"
#include "control/fault.h"
#include "control/op.h"

#define ADMIN_BODY_MAX (32U << 20)
#define ADMIN_SEGMENTS_MAX 8

struct event_base;
struct evhttp_request;
struct evkeyvalq;
struct feed;
struct loader;
struct admin;

/* What the handlers work with; all borrowed. */
struct admin_parts {
	struct event_base *base;
	struct model *model;
	struct op_runner *runner;
	struct feed *feed;     /* NULL = no nodes (tests) */
	struct loader *loader; /* the declarative file; NULL unless database: off */
	const char *node_id;
};

/* In the order of the bits. */
/* clang-format off */
#define ADMIN_METHOD_TABLE(X) X(GET) X(POST) X(PUT) X(PATCH) X(DELETE) X(HEAD) X(OPTIONS)
/* clang-format on */
enum admin_method {
#define X(name) ADMIN_##name,
	ADMIN_METHOD_TABLE(X)
#undef X
			ADMIN_OTHER
};
#define ADMIN_BIT(method) (1U << (method))

struct admin_call {
	uint32_t magic;
	struct admin *admin;
	const struct admin_parts *parts;
	struct evhttp_request *req;
	uint64_t start_ns;
	enum admin_method method; /* HEAD comes as GET */
	bool is_head;
	char *path;                         /* as received, without query */
	struct str seg[ADMIN_SEGMENTS_MAX]; /* decoded */
	char *seg_mem[ADMIN_SEGMENTS_MAX];
	unsigned seg_n;
	struct evkeyvalq *query;
	enum admin_body body_type;
	struct str body; /* raw */
	json_t *input;   /* parsed: an object; NULL without a body */
	bool is_form;    /* input holds strings still to be coerced */
	char what[256];  /* for the log */
};
#define ADMIN_CALL_MAGIC SL_MAGIC('A', 'C', 'A', 'L')

int admin_new(struct admin **ret, const struct admin_parts *parts, const char *listen,
		struct why *why);
void admin_free(struct admin *a);
SL_DEFINE_AUTO(admin);

/* Each ends the call.  body: ownership passes; NULL = none. */
void admin_reply(struct admin_call *call, int status, json_t *body);
/* The same with text of any type. */
void admin_text(struct admin_call *call, int status, const char *type, struct str text);
void admin_refuse(struct admin_call *call, const struct fault *fault);
void admin_message(struct admin_call *call, int status, const char *message);
/* 405 with Allow, or the answer to OPTIONS. */
void admin_not_allowed(struct admin_call *call, unsigned methods);

/* A query argument, NULL when absent. */
const char *admin_query(const struct admin_call *call, const char *name);
void admin_header(struct admin_call *call, const char *name, const char *value);
/* "GET, HEAD, OPTIONS" */
void admin_allow_text(unsigned methods, char *buf, size_t size);
