/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void sl_check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "level=emerg msg=\"check failed\" at=%s:%d check=\"%s\"\n", file, line,
			what);
	abort();
}
