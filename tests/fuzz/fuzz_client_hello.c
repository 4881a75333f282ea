/* SPDX-License-Identifier: Apache-2.0
 *
 * The server name of a client's first message: malformed, none, or a host name that certificates
 * can be looked up by.
 */
#include "base/check.h"
#include "worker/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char name[SNI_MAX];
	int r = client_hello_sni((struct str){(const char *)data, n}, name);

	sl_assert(r >= -1 && r <= SNI_MAX);
	for (int i = 0; i < r; i++)
		sl_assert(name[i] > ' ' && ascii_lower(name[i]) == name[i] && name[i] != '*');
	return 0;
}
