/* SPDX-License-Identifier: Apache-2.0 */
#include "master/history.h"

#include <errno.h>

#include "base/clock.h"

struct history {
	uint64_t n; /* ever added */
	/* of entries that the ring has lost */
	uint64_t committed, refused, rejected;
	struct history_entry ring[HISTORY_ENTRIES];
};

int history_new(struct history **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret != NULL ? 0 : -ENOMEM;
}

void history_free(struct history *h)
{
	free(h);
}

static void count(const struct history_entry *e, uint64_t *committed, uint64_t *refused,
		uint64_t *rejected)
{
	if (e->refused_for[0] != '\0')
		++*refused;
	else
		++*committed;
	*rejected += e->n_rejected;
}

struct history_entry *history_add(struct history *h)
{
	struct history_entry *e = &h->ring[h->n % HISTORY_ENTRIES];

	if (h->n >= HISTORY_ENTRIES)
		count(e, &h->committed, &h->refused, &h->rejected);
	*e = (struct history_entry){.at_ns = clock_real_ns()};
	h->n++;
	return e;
}

const struct history_entry *history_at(const struct history *h, uint32_t i)
{
	if (i >= HISTORY_ENTRIES || i >= h->n)
		return NULL;
	return &h->ring[(h->n - 1 - i) % HISTORY_ENTRIES];
}

void history_counts(const struct history *h, uint64_t *ret_committed, uint64_t *ret_refused,
		uint64_t *ret_rejected)
{
	const struct history_entry *e;

	*ret_committed = h->committed;
	*ret_refused = h->refused;
	*ret_rejected = h->rejected;
	for (uint32_t i = 0; (e = history_at(h, i)) != NULL; i++)
		count(e, ret_committed, ret_refused, ret_rejected);
}
