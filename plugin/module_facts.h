/* SPDX-License-Identifier: Apache-2.0
 *
 * What a C function of a module found out: gathered between vm_host_enter() and vm_host_leave(),
 * where Lua may not be called, and then pushed as one table, where an error may leave at any
 * call and nothing is lost by that.  One static buffer: there is one such function at a time.
 *
 * A key is a field of the table that is open; NULL: its next list element.  libngx.a only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua_State;

#define FACTS_BYTES_MAX (512U << 10)
#define FACTS_MAX 16384U

void facts_begin(void);
/* Keys are literals; the bytes are copied. */
void facts_bytes(const char *key, const void *p, size_t n);
void facts_text(const char *key, const char *text); /* NULL: left out */
void facts_integer(const char *key, int64_t v);
void facts_boolean(const char *key, bool v);
void facts_open(const char *key);
void facts_close(void);
/* Room for at most n bytes, to be written before the next call; NULL: none left. */
unsigned char *facts_reserve(const char *key, size_t n);
/* ... and this many were. */
void facts_commit(size_t n);
/* After it nothing but nil is pushed. */
void facts_fail(void);
bool facts_is_failed(void);

/* Pushes the table, or nil. */
void facts_push(struct lua_State *L);
/* Pushes the first value alone, or nil. */
void facts_push_value(struct lua_State *L);
