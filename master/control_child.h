/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-control as a child of this node (roles traditional and control_plane): started with
 * the node configuration on a memfd, restarted with back-off, told to reload by SIGHUP.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "master/child.h"
#include "shm/conf.h"

struct control_child;
struct handover;

/* stopped: after control_child_stop, when it is gone.  conf: borrowed for the call. */
int control_child_new(struct control_child **ret, struct event_base *base, const struct conf *conf,
		void (*stopped)(void *arg), void *arg, struct why *why);
/* Kills it if it runs. */
void control_child_free(struct control_child *c);
SL_DEFINE_AUTO(control_child);

void control_child_start(struct control_child *c);
/* The one that the image of sluiced before this one started; without one: as start. */
int control_child_adopt(struct control_child *c, const struct handover *before, struct why *why);
void control_child_hand_over(const struct control_child *c, struct handover *h);
/* Ends orderly and starts again, with this image's program. */
void control_child_restart(struct control_child *c);
/* false: it does not run, stopped() is not called. */
bool control_child_stop(struct control_child *c, bool is_fast);
/* SIGHUP; false when it does not run. */
bool control_child_reload(struct control_child *c);
const struct child *control_child_process(const struct control_child *c);
