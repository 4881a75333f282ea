/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of a hostile control plane into the snapshot and its indexes: each is refused or
 * stored whole, found, and gone without a trace when deleted.  First byte: the kind.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/record.pb-c.h"
#include "shm/route_index.h"
#include "shm/snap_txn.h"
#include "shm/snapshot_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot_writer *writer;

static struct snapshot_writer *open_writer(void)
{
	char root[] = "/tmp/sluice-fuzz-XXXXXX";
	struct why why = WHY_NONE;

	if (mkdtemp(root) == NULL)
		abort();
	if (snapshot_writer_open_sized(&writer, root, (unsigned)-1, 64 << 20, &why) != 0)
		abort();
	return writer;
}

static bool check_candidate(void *arg, const struct route_candidate *c)
{
	(void)arg;
	if (!str_eq(c->route_id, STR("id")))
		abort();
	return true;
}

static void look_up(void)
{
	struct snap_view *v = NULL;
	struct why why = WHY_NONE;
	int r = snapshot_writer_view(writer, &v, &why);

	if (r != 0) {
		fprintf(stderr, "view: %d %s\n", r, why.text);
		abort();
	}
	route_index_find(v, STR("a.example.com"), 80, STR("/api/v1"), check_candidate, NULL);
	snap_view_unref(v);
}

static struct snap_txn *begin(void)
{
	struct snap_txn *t = NULL;

	if (snap_txn_begin(writer, &t, NULL) != 0)
		abort();
	return t;
}

/* After the delete the indexes are as empty as before the put. */
static void check_empty(const struct snap_txn *t)
{
	static const struct route_summary none;

	for (int db = SNAP_DB_META + 1; db < SNAP_DBS; db++)
		if (t->state.sums[db] != 0)
			abort();
	if (memcmp(&t->summary, &none, sizeof(none)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t generation;
	struct snap_txn *t;
	uint32_t kind;
	int r;

	if (size == 0 || (writer == NULL && open_writer() == NULL))
		return 0;
	kind = data[0];
	t = begin();
	r = snap_txn_put(t, kind, STR("id"), 1, (struct str){(const char *)data + 1, size - 1},
			NULL);
	if (r == 0) {
		/* Every so often through a commit, which costs a sync. */
		if (++generation % 64 == 0) {
			if (snap_txn_commit(t, STR("e"), generation, STR("d"), NULL) != 0)
				abort();
			snap_txn_free(t);
			look_up();
			t = begin();
		}
		if (snap_txn_delete(t, kind, STR("id"), NULL) != 0)
			abort();
		check_empty(t);
		if (generation % 64 == 0 &&
				snap_txn_commit(t, STR("e"), ++generation, STR("d"), NULL) != 0)
			abort();
	}
	snap_txn_free(t);
	return 0;
}
