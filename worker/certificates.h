/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of the snapshot: chosen by server name, parsed when first asked for, kept
 * bounded.  Per worker, single-threaded.
 */
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "plugin/certificate_pair.h"
#include "shm/snapshot.h"

#define CERTIFICATE_ID_MAX 64

struct certificate {
	unsigned refs;
	uint64_t commit;    /* it was last seen the same in */
	uint8_t sha256[32]; /* of its record */
	unsigned n;         /* 0: it cannot be used (the log says why) */
	struct certificate_pair pairs[2];
};
void certificate_unref(struct certificate *c); /* NULL allowed */

struct certificates;
int certificates_new(struct certificates **ret);
void certificates_free(struct certificates *c);
SL_DEFINE_AUTO(certificates);

/* Which certificate serves that name (lower case, no final dot, "" = none given): the name
 * itself, then `*.rest`, then `first.*`, then `*`.  False: none of them is configured. */
bool certificate_choose(const struct snap_view *view, struct str sni, char ret[CERTIFICATE_ID_MAX]);
/* A new reference; NULL: none for that name, or out of memory. */
struct certificate *certificates_for(
		struct certificates *c, const struct snap_view *view, struct str sni);
