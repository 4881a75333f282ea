/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_held.h"

#include <errno.h>

#include "plugin/engine.h"
#include "shm/dict.h"

struct pdk_held {
	struct pdk_held *next;
	struct dict *dict;
	uint32_t space;
	uint64_t token; /* 0: let go */
	enum pdk_held_until until;
	struct str key;
};

int pdk_held_add(struct pdk_host *host, uint32_t space, struct str key, uint64_t token,
		enum pdk_held_until until)
{
	struct pdk_held *h;

	if (host->slot == NULL || host->exchange == NULL)
		return 0;
	h = arena_calloc(host->exchange->arena, sizeof(*h));
	if (h == NULL)
		return -ENOMEM;
	*h = (struct pdk_held){.next = host->slot->held,
			.dict = host->conf->dict,
			.space = space,
			.token = token,
			.until = until,
			.key = arena_str(host->exchange->arena, key)};
	if (h->key.p == NULL)
		return -ENOMEM;
	host->slot->held = h;
	return 0;
}

/* Those that the plugin let go of itself are not found any more. */
void pdk_held_release(struct pdk_slot *slot, enum pdk_held_until until)
{
	for (struct pdk_held *h = slot->held; h != NULL; h = h->next) {
		if (h->token == 0 || h->until > until)
			continue;
		(void)dict_release(h->dict, h->space, h->key, h->token);
		h->token = 0;
	}
	if (until == PDK_HELD_REQUEST)
		slot->held = NULL;
}
