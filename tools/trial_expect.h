/* SPDX-License-Identifier: Apache-2.0
 *
 * What came of a trial against what a case expects.
 */
#pragma once

#include <jansson.h>

/* reply: of sluice-check (plugin/trial.h); expect: of test.yaml.  An array of texts, each one
 * difference; empty = as expected.  New reference. */
json_t *trial_expect(const json_t *expect, const json_t *reply);

/* The lines of the log that the plugin printed or that tell of it, without time and process:
 * "err: text …".  New reference to an array of strings. */
json_t *trial_log(const json_t *reply);
