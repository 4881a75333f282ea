/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts of addresses: of the stream, of listeners, of networks.
 */
#include <string.h>

#include "base/check.h"
#include "shm/conf.h"
#include "stream/address.h"
#include "worker/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = {(const char *)data, n};
	struct conf_address listener;
	struct address address;
	struct cidr block;
	struct why why = WHY_NONE;

	if (address_parse(&address, text, &why) == 0) {
		sl_assert(strnlen(address.host, sizeof(address.host)) < sizeof(address.host));
		sl_assert(address.host[0] != '\0');
		sl_assert(address.is_unix == (address.port[0] == '\0'));
	} else {
		sl_assert(why.text[0] != '\0');
	}
	why = (struct why)WHY_NONE;
	if (conf_parse_address(text, &listener, &why) != 0)
		sl_assert(why.text[0] != '\0');
	if (cidr_parse(text, &block)) {
		sl_assert(block.bits <= 128);
		sl_assert(cidr_has(&block, &block));
	}
	return 0;
}
