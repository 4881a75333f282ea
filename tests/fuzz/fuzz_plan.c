/* SPDX-License-Identifier: Apache-2.0
 *
 * Updates of a hostile control plane on their way into the snapshot: as they come in bytes, whole
 * or as the first and the last of two parts.  Announced hashes and the digest are put right half of
 * the time, so that what lies behind them is reached.  First byte: which of it.
 */
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/apply.h"
#include "master/intake.h"
#include "stream/digest.h"

#define RIGHT_HASHES 1
#define IN_PARTS 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Sluice__Stream__V1__Update Update;

static struct snapshot_writer *open_writer(void)
{
	static struct snapshot_writer *writer;
	char root[] = "/tmp/sluice-fuzz-XXXXXX";
	struct why why = WHY_NONE;

	if (writer != NULL)
		return writer;
	if (mkdtemp(root) == NULL || snapshot_writer_open_sized(&writer, root, (unsigned)-1,
						     64 << 20, &why) != 0)
		abort();
	return writer;
}

static void set(ProtobufCBinaryData *d, const void *p, size_t n)
{
	free(d->data);
	d->data = malloc(n);
	if (d->data == NULL)
		abort();
	memcpy(d->data, p, n);
	d->len = n;
}

static void put_right(Update *u)
{
	struct stream_digest digest = {{0}};

	u->base_generation = 0;
	set(&u->epoch, "e", 1);
	for (size_t i = 0; i < u->n_resources; i++) {
		Sluice__Stream__V1__Resource *r = u->resources[i];
		uint8_t sha256[32];

		SHA256(r->spec.data, r->spec.len, sha256);
		set(&r->spec_sha256, sha256, sizeof(sha256));
		stream_digest_add(&digest, r->kind, r->id, sha256);
	}
	set(&u->digest_after, digest.sum, sizeof(digest.sum));
}

static int take_parts(struct plan **ret, Update *u, const struct plan_base *base)
{
	const char *refused_for = "";
	struct why why = WHY_NONE;
	size_t half = u->n_resources / 2, n = u->n_resources;
	Update first = *u, last = *u;
	int r;

	first.part = 0;
	first.has_more = true;
	first.n_resources = half;
	last.part = 1;
	last.has_more = false;
	last.n_removed = 0;
	last.resources = n != 0 ? u->resources + half : NULL;
	last.n_resources = n - half;
	r = intake_start(ret, &first, base, open_writer(), &refused_for, &why);
	if (r == 0)
		r = intake_take(*ret, &first, &refused_for, &why);
	return r == 0 ? intake_take(*ret, &last, &refused_for, &why) : r;
}

static void take(Update *u, bool is_in_parts)
{
	const char *refused_for = "";
	struct why why = WHY_NONE;
	struct snap_view *held = NULL;
	struct plan_base base = {.source_bytes_max = 1024};
	sl_auto(plan) p = NULL;
	int r;

	if (snapshot_writer_view(open_writer(), &held, &why) == 0)
		base.held = held;
	r = is_in_parts ? take_parts(&p, u, &base) : plan_new(&p, u, &base, &refused_for, &why);
	if (r == 0)
		r = apply_commit(p, open_writer(), &why);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (p->items[i].state == PLAN_PENDING)
			abort(); /* every item has its outcome */
	}
	snap_view_unref(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Update *u;

	if (size < 1)
		return 0;
	u = sluice__stream__v1__update__unpack(NULL, size - 1, data + 1);
	if (u == NULL)
		return 0;
	if ((data[0] & RIGHT_HASHES) != 0)
		put_right(u);
	take(u, (data[0] & IN_PARTS) != 0);
	sluice__stream__v1__update__free_unpacked(u, NULL);
	return 0;
}
