/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client_hello.h"

#define HOST_NAME 0 /* RFC 6066 3: the only type there is */

/* The next n bytes; false: they are not there. */
static bool take(struct str *from, size_t n, struct str *ret)
{
	if (from->n < n)
		return false;
	*ret = str_head(*from, n);
	*from = str_from(*from, n);
	return true;
}

static bool take_u16(struct str *from, size_t *ret)
{
	struct str two;

	if (!take(from, 2, &two))
		return false;
	*ret = (size_t)(unsigned char)two.p[0] << 8 | (unsigned char)two.p[1];
	return true;
}

/* Its length, 0: not a host name. */
static int name_copy(struct str name, char ret[SNI_MAX])
{
	if (str_ends(name, STR(".")))
		name.n--;
	if (name.n == 0 || name.n > SNI_MAX)
		return 0;
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' &&
				c != '_')
			return 0;
		ret[i] = c;
	}
	return (int)name.n;
}

int client_hello_sni(struct str extension, char ret[SNI_MAX])
{
	struct str type, name;
	size_t n;

	if (!take_u16(&extension, &n) || n != extension.n || !take(&extension, 1, &type) ||
			type.p[0] != HOST_NAME || !take_u16(&extension, &n) ||
			!take(&extension, n, &name) || extension.n != 0)
		return -1;
	return name_copy(name, ret);
}
