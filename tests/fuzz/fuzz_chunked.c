/* SPDX-License-Identifier: Apache-2.0
 *
 * A chunked body: the same reading whole and byte by byte, and nothing handed out that was
 * not in the input.
 */
#include "base/check.h"
#include "worker/h1_body.h"

struct reading {
	enum h1_more end;
	uint64_t n, hash;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void add(struct reading *r, struct str slice, struct str all)
{
	sl_assert(slice.p >= all.p && slice.n <= (size_t)(all.p + all.n - slice.p));
	r->n += slice.n;
	for (size_t i = 0; i < slice.n; i++)
		r->hash = r->hash * 31 + (uint8_t)slice.p[i];
}

static struct reading read_in_steps(struct str all, size_t step)
{
	struct reading r = {.end = H1_WANT};
	struct h1_body b;
	struct str slice;

	h1_body_init(&b, H1_CHUNKED, 0);
	for (size_t at = 0; at < all.n && r.end == H1_WANT; at += step) {
		struct str part = str_head(str_from(all, at), step);

		while ((r.end = h1_body_next(&b, &part, &slice)) == H1_DATA)
			add(&r, slice, all);
		if (r.end == H1_END)
			r.left = (size_t)(all.p + all.n - part.p);
	}
	sl_assert(r.end != H1_WANT || !h1_body_eof(&b));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all = {(const char *)data, n};
	struct reading whole, bytes;

	if (n == 0)
		return 0;
	whole = read_in_steps(all, n);
	bytes = read_in_steps(all, 1);
	sl_assert(whole.end == bytes.end && whole.n == bytes.n && whole.hash == bytes.hash);
	sl_assert(whole.left == bytes.left);
	return 0;
}
