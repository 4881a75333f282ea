/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections of one plugin in one request, by number.  Owned by its pdk_slot.
 */
#pragma once

#include "plugin/pdk.h"

/* Closes them all; NULL allowed. */
void ngx_sockets_close(struct pdk_sockets *all);
