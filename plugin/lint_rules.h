/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluicectl plugin lint` says of a handler beyond whether it loads: calls that its phase
 * does not offer, names that are not there, globals, modules.  Only what the text leaves no doubt
 * about: a value that is not known is not complained about, and what only may happen is a
 * warning.
 */
#pragma once

struct check;

/* Behind the jail; adds to the errors and warnings of c.  A rule's name and the column stand
 * beside each. */
void lint_rules_run(struct check *c);
