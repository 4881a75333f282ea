/* SPDX-License-Identifier: Apache-2.0
 *
 * `plugins[].condition`: an expression (CEL, as Kong 3.15 has it; docs/conditions.md), compiled
 * once, evaluated against an exchange just before a plugin's access.  Whatever the request, an
 * evaluation ends within CEL_STEPS_MAX steps (condition_value.h) and allocates, if anything,
 * in the request's arena.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

struct condition;
struct exchange;

#define CONDITION_TEXT_MAX 1024

/* 0, or -EINVAL with why: file "condition", line = 1-based column, text what and what is
 * allowed.  What is known to fail on every request is refused too. */
int condition_new(struct condition **ret, struct str text, struct why *why);
void condition_free(struct condition *c);
SL_DEFINE_AUTO(condition);

/* 1 matched, 0 not matched, -EINVAL a runtime error with why ("No such key: foo"). */
int condition_eval(const struct condition *c, const struct exchange *x, struct why *why);
