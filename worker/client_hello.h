/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client's first message tells before anything is decided: the server name.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

#define SNI_MAX 255

/* The body of the server_name extension (RFC 6066 3) → the name in lower case, without a final
 * dot; its length.  0: none, or none that is a host name; -1: malformed. */
int client_hello_sni(struct str extension, char ret[SNI_MAX]);
