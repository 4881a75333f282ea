/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that holds one HTTP message as it is written on the wire (lines may end in LF alone), as
 * the request or response of a test case.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"
#include "base/why.h"

/* The mapping that test.yaml would have in its place: method, path, host, headers, body, or
 * status, headers, body.  New reference; NULL with why (line of the file, text). */
json_t *trial_http_parse(struct str text, bool is_response, struct why *why);
