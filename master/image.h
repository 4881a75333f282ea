/* SPDX-License-Identifier: Apache-2.0
 *
 * The program image that this process runs, and its replacement by exec: the same pid, the same
 * children, and what master/handover names stays open.  The environment tells the next image where
 * the record is; one that cannot begin goes back to the image before it, whose binary the record
 * keeps open.
 */
#pragma once

#include <stdbool.h>

#include "base/why.h"

struct handover;

/* Of this image.  Texts live as long as the process; build: from the linker's build id, "" = it
 * gave none. */
struct image {
	char program[4096], build[24];
	const char *version;
	int binary_fd; /* CLOEXEC */
};
const struct image *image_self(void);

/* At the start: what another image left, and why that is here again (NULL: it is new here).  NULL
 * in *ret: an ordinary start.  -EPROTO with why. */
int image_inherited(struct handover **ret, const char **ret_failure, struct why *why);

/* Becomes the program at `path` with h; failure: why it gets this process back, or NULL.  Returns
 * only when that failed: -errno with why, and nothing has changed.  Signals that sluiced handles
 * are held back meanwhile (image_take_signals). */
int image_become(const struct handover *h, const char *path, const char *conf_file,
		const char *failure, struct why *why);
/* The way back: the binary that was `program`, open as binary_fd, for it may be there no longer. As
 * image_become. */
int image_go_back(const struct handover *h, const char *program, int binary_fd,
		const char *conf_file, const char *failure, struct why *why);
/* From now on signals that sluiced handles wait. */
void image_hold_signals(void);
/* Handlers are in place: signals that were held are delivered. */
void image_take_signals(void);

/* Until image_unguard() a crash, an abort or `patience_s` without an end go back to the image that
 * wrote h.  h must live so long. */
void image_guard(const struct handover *h, const char *conf_file, unsigned patience_s);
void image_unguard(void);
