/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates of HTTP (RFC 9110, section 5.6.7).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* One of the three forms → seconds since 1970.  False leaves *ret alone. */
bool http_date_parse(struct str text, int64_t *ret);
