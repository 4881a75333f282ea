/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_grpc.h"

#define GRPC STR("application/grpc")

/* X(HTTP status, gRPC status, its name) */
/* clang-format off */
#define GRPC_TABLE(X) \
	X(200,  0, "OK") \
	X(400,  3, "InvalidArgument") \
	X(401, 16, "Unauthenticated") \
	X(403,  7, "PermissionDenied") \
	X(404,  5, "NotFound") \
	X(409,  6, "AlreadyExists") \
	X(429,  8, "ResourceExhausted") \
	X(499,  1, "Canceled") \
	X(500, 13, "Internal") \
	X(501, 12, "Unimplemented") \
	X(503, 14, "Unavailable") \
	X(504,  4, "DeadlineExceeded")
/* clang-format on */

static const struct grpc_row {
	int http;
	const char *number, *name;
} rows[] = {
#define X(http, grpc, name) {(http), #grpc, (name)},
		GRPC_TABLE(X)
#undef X
};
static const struct grpc_row unknown = {0, "2", "Unknown"};

static const struct grpc_row *row_of(int status)
{
	for (size_t i = 0; i < PDK_COUNT(rows); i++)
		if (rows[i].http == status)
			return &rows[i];
	return NULL;
}

/* The row of the status, or of the first of its class. */
static const struct grpc_row *map(int status)
{
	const struct grpc_row *row = row_of(status);

	if (row == NULL)
		row = row_of(status / 100 * 100);
	return row != NULL ? row : &unknown;
}

enum pdk_grpc pdk_grpc_of(const struct exchange *x)
{
	struct str type = headers_get_id(&x->answer.headers, HEADER_CONTENT_TYPE);

	if (type.p != NULL)
		return str_starts(type, GRPC) ? PDK_GRPC_OUTPUT : PDK_GRPC_NO;
	type = headers_get_id(&x->request.headers, HEADER_CONTENT_TYPE);
	return str_starts(type, GRPC) && x->request.http_major == 2 ? PDK_GRPC_CALL : PDK_GRPC_NO;
}

int pdk_grpc_finish(struct exchange *x, enum pdk_grpc kind, int status, struct str message)
{
	const struct grpc_row *row = map(status);
	struct headers *h = &x->answer.headers;
	int r = 0;

	if (kind == PDK_GRPC_NO)
		return 0;
	if (headers_find(h, STR("grpc-status")) == NULL)
		r = headers_add(h, STR("grpc-status"), str_of(row->number));
	if (r == 0 && message.p != NULL)
		return headers_set(h, STR("grpc-message"), message);
	if (r == 0 && headers_find(h, STR("grpc-message")) == NULL)
		r = headers_add(h, STR("grpc-message"), str_of(row->name));
	return r;
}
