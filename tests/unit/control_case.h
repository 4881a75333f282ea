/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of control/ share: a directory of a test's own, and a store in it.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct control_case {
	char dir[64];
	char store[96];
};

static inline int case_begin(void **state)
{
	struct control_case *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	snprintf(c->dir, sizeof(c->dir), "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->store, sizeof(c->store), "%s/control", c->dir);
	*state = c;
	return 0;
}

static inline int case_end(void **state)
{
	struct control_case *c = *state;
	char command[160];

	snprintf(command, sizeof(command), "rm -rf '%s'", c->dir);
	assert_int_equal(system(command), 0);
	free(c);
	return 0;
}
