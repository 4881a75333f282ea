/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1 messages, requests and responses: never a crash, and the same reading however
 * the bytes were split.  First byte: 1 = response; second: where to cut.
 */
#include "base/arena.h"
#include "base/check.h"
#include "worker/h1_parse.h"
#include "worker/h1_scan.h"

static const struct h1_limits limits = {1024, 4096, 50};

struct reading {
	ptrdiff_t scanned;
	int parsed;
	uint64_t body_bytes, body_hash;
	enum h1_more end;
	size_t left;
};

static void read_body(struct reading *r, const struct h1_head *head, struct str all, size_t cut)
{
	struct str at = str_from(all, (size_t)r->scanned), parts[2], data;
	struct h1_body b;
	size_t first = cut > (size_t)r->scanned ? cut - (size_t)r->scanned : 0;

	parts[0] = str_head(at, first);
	parts[1] = str_from(at, first);
	h1_body_init(&b, head->framing, head->length);
	r->end = H1_WANT;
	for (int i = 0; i < 2 && r->end != H1_BAD && r->end != H1_END; i++) {
		while ((r->end = h1_body_next(&b, &parts[i], &data)) == H1_DATA) {
			r->body_bytes += data.n;
			for (size_t k = 0; k < data.n; k++)
				r->body_hash = r->body_hash * 31 + (uint8_t)data.p[k];
		}
		if (r->end == H1_END)
			r->left = parts[i].n + (i == 0 ? parts[1].n : 0);
	}
}

static struct reading read_message(struct str all, bool is_response, size_t cut)
{
	struct h1_scan s = {.is_response = is_response};
	struct reading r = {.scanned = h1_scan(&s, &limits, all.p, cut)};
	struct headers headers;
	struct h1_head head;
	struct str text;
	sl_auto(arena) a = NULL;

	if (r.scanned == H1_INCOMPLETE)
		r.scanned = h1_scan(&s, &limits, all.p, all.n);
	if (r.scanned <= 0 || arena_new(&a, 0) != 0)
		return r;
	headers_init(&headers, a);
	text = (struct str){all.p + s.start, (size_t)r.scanned - s.start};
	r.parsed = is_response ? h1_parse_response(&head, text, STR("GET"), &headers)
			       : h1_parse_request(&head, text, &headers);
	if (r.parsed == 0)
		read_body(&r, &head, all, cut);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all;
	struct reading whole, cut;

	if (n < 2)
		return 0;
	all = (struct str){(const char *)data + 2, n - 2};
	whole = read_message(all, data[0] == 1, all.n);
	cut = read_message(all, data[0] == 1, all.n != 0 ? data[1] % all.n : 0);
	sl_assert(whole.scanned == cut.scanned && whole.parsed == cut.parsed);
	sl_assert(whole.end == cut.end);
	if (whole.end != H1_BAD) {
		sl_assert(whole.body_bytes == cut.body_bytes && whole.left == cut.left);
		sl_assert(whole.body_hash == cut.body_hash);
	}
	return 0;
}
