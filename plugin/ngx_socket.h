/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections of one plugin in one request, by number.  Owned by its pdk_slot.
 */
#pragma once

#include "plugin/pdk.h"

/* Closes them all; NULL allowed. */
void ngx_sockets_close(struct pdk_sockets *all);

/* ngx_socket_words.c: the phase as OpenResty names it. */
const char *ngx_socket_context(enum phase phase);
/* ECONNREFUSED → "connection refused", as nginx words it. */
void ngx_socket_push_errno(lua_State *L, int error);
/* plugin_egress said no: counted each time, logged once per plugin version and worker. */
void ngx_socket_note_denied(lua_State *L, const char *text);
