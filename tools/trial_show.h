/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* A result of trial_ask() for people: passed or not and why, what the plugin changed, its log,
 * what each phase cost.  path: of test.yaml. */
void trial_show(const json_t *result, const char *path, FILE *out);
