/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_date.h"

#include <time.h>

#define DATE_MAX 64

bool http_date_parse(struct str text, int64_t *ret)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
			"%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
	char z[DATE_MAX];

	if (text.n == 0 || text.n >= sizeof(z) || memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_isdst = 0};
		const char *end = strptime(z, forms[i], &tm);

		int day = tm.tm_mday;
		int64_t seconds;

		if (end == NULL || *end != '\0')
			continue;
		seconds = (int64_t)timegm(&tm);
		if (tm.tm_mday != day) /* the 31st of February */
			break;
		*ret = seconds;
		return true;
	}
	return false;
}
