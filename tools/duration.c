/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/duration.h"

#include <stdlib.h>
#include <string.h>

bool duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e6}};
	char *end;
	double v = strtod(text, &end);

	if (end == text || !(v >= 0 && v < 1e9))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0) {
			*ret_ns = (uint64_t)(v * units[i].ns);
			return true;
		}
	return false;
}
