/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as lower-case hexadecimal, and random UUIDs (RFC 9562, version 4).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UUID_TEXT_BYTES 37 /* 36 and the NUL */

/* Writes 2*n digits and a NUL. */
void hex_encode(const void *bytes, size_t n, char *ret_text);
/* text.n must be 2*n; false on any other length or digit. */
bool hex_decode(struct str text, void *ret_bytes, size_t n);

/* n bytes from the kernel's random generator; aborts if there is none. */
void random_bytes(void *ret, size_t n);
void uuid_make(char ret_text[UUID_TEXT_BYTES]);
/* 8-4-4-4-12 hexadecimal digits, either case. */
bool uuid_is_valid(struct str text);
