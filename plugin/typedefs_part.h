/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks behind typedefs, by family; nobody but typedefs.c calls them.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"

/* False: msg says what is wrong with text. */
typedef bool typedef_fn(struct str text, struct buf *msg);

/* typedefs_host.c */
typedef_fn typedef_check_host, typedef_check_host_with_optional_port, typedef_check_wildcard_host,
		typedef_check_host_with_wildcard, typedef_check_sni, typedef_check_wildcard_sni,
		typedef_check_ip, typedef_check_ip_or_cidr, typedef_check_cidr_v4;
/* typedefs_path.c */
typedef_fn typedef_check_path, typedef_check_router_path, typedef_check_router_header,
		typedef_check_url;
/* typedefs_name.c */
typedef_fn typedef_check_name, typedef_check_utf8_name, typedef_check_tag,
		typedef_check_header_name, typedef_check_cookie_name;
/* typedefs_pem.c */
typedef_fn typedef_check_certificate, typedef_check_key;
/* Either may be absent (p == NULL). */
bool typedef_check_pem(struct str private_key, struct str public_key, struct buf *msg);
/* typedefs_jwk.c; value: the record. */
bool typedef_check_jwk(const json_t *value, struct buf *msg);
