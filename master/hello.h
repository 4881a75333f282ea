/* SPDX-License-Identifier: Apache-2.0
 *
 * The first message on a control stream: who this node is and what it holds.
 */
#pragma once

#include "master/node.h"
#include "shm/snapshot.h"
#include "stream/client.h"

/* held: NULL = says that it holds nothing, so that control sends everything.  As
 * stream_client_send. */
int hello_send(struct stream_client *client, const struct node *node, const struct snap_view *held);
