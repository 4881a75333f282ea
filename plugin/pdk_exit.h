/* SPDX-License-Identifier: Apache-2.0
 *
 * kong.response.exit() and error(); ngx.exit() ends requests the same way.
 */
#pragma once

#include "plugin/pdk.h"

int pdk_exit(lua_State *L);
int pdk_error(lua_State *L);

/* Makes `body` of that status the answer, with the headers set in exchange->answer.headers and
 * what the plugin set on the response before; Content-Length is set.  `return
 * pdk_end_with(…);` ends the run.  body: in the request's arena. */
int pdk_end_with(lua_State *L, int status, struct str body);
/* The same without ending the run, and again with more: what ngx.say does. */
void pdk_answer_with(lua_State *L, int status, struct str body);
/* Ends the run with the gateway's error page of that status; message p == NULL: its own words. */
int pdk_end_with_error(lua_State *L, int status, struct str message);
