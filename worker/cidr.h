/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and CIDR blocks (RFC 4632, RFC 4291), IPv4 and IPv6; an IPv4-mapped IPv6
 * address is its IPv4 address.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct cidr {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;      /* of 128 */
};

/* "10.0.0.0/8", "::1", …  False if it is neither. */
bool cidr_parse(struct str text, struct cidr *ret);
bool cidr_has(const struct cidr *block, const struct cidr *address);
