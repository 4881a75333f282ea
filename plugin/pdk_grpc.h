/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers to gRPC calls: the status travels in headers (gRPC over HTTP/2, "Trailers-Only").
 */
#pragma once

#include "plugin/pdk.h"

enum pdk_grpc {
	PDK_GRPC_NO,
	PDK_GRPC_CALL,   /* the request is a call: the body becomes grpc-message */
	PDK_GRPC_OUTPUT, /* the plugin said that its body is gRPC: it is sent as it is */
};

/* What the answer under way is, by its Content-Type, else by the request's. */
enum pdk_grpc pdk_grpc_of(const struct exchange *x);
/* Adds grpc-status for the HTTP status where the plugin set none, and for a call grpc-message
 * (message, or the status's name when message.p == NULL).  0, -ENOMEM. */
int pdk_grpc_finish(struct exchange *x, enum pdk_grpc kind, int status, struct str message);
