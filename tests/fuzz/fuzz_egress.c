/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of plugin_egress: whatever they say, a wide one opens nothing local.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "worker/egress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *entries = strndup((const char *)data, n);
	struct conf conf = {.plugin_egress = entries,
			.admin_listen = "127.0.0.1:8001",
			.status_listen = "off",
			.cluster_listen = "off"};
	struct egress *e = NULL;
	struct why why = WHY_NONE;
	struct peer metadata;

	sl_assert(entries != NULL);
	sl_assert(peer_parse(STR("169.254.169.254"), &metadata));
	peer_set_port(&metadata, 80);
	sl_assert(egress_new(&e, &conf, &why) == 0);
	if (strstr(entries, "169.254.") == NULL && strchr(entries, ':') == NULL)
		sl_assert(!egress_allows(e, STR("x.test"), &metadata));
	egress_free(e);
	free(entries);
	return 0;
}
