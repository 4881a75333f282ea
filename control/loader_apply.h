/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the loader: the store brought to a parsed configuration, and what to answer.
 */
#pragma once

#include "control/declarative.h"
#include "control/op.h"

/* Everything in the store becomes what d says.  Goes on past errors, which it adds to d;
 * OP_E_REFUSED when there are any. */
int loader_bring(struct op *op, struct declarative *d);
/* Kong's code 14 object.  name: of the file, for places. */
json_t *loader_error_body(const struct declarative *d, const char *name, bool is_flatten);
/* "kong.yml:3: services[0].host: required field missing" of one error: malloc'd. */
char *loader_error_line(const json_t *error, const char *name);
