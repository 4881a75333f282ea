/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of ngx.*, each a module that adds itself to the environment of a VM being made
 * (see pdk.h for the rules).  libngx.a.
 */
#pragma once

#include "plugin/pdk.h"

void ngx_config_open(lua_State *L, int env_index);  /* ngx.config */
void ngx_encode_open(lua_State *L, int env_index);  /* escape_uri, encode_args, base64 … */
void ngx_hash_open(lua_State *L, int env_index);    /* md5, sha1_bin, hmac_sha1, crc32 … */
void ngx_refused_open(lua_State *L, int env_index); /* what cannot exist here */
void ngx_socket_open(lua_State *L, int env_index);  /* ngx.socket.*, lax */
void ngx_thread_open(lua_State *L, int env_index);  /* ngx.thread.*, lax */
void ngx_time_open(lua_State *L, int env_index);    /* now, time, http_time, sleep … */
void ngx_re_open(lua_State *L, int env_index);      /* ngx.re.* */
void ngx_req_open(lua_State *L, int env_index);     /* ngx.req.*, ngx.resp.* */
void ngx_req_body_open(lua_State *L, int env_index);
void ngx_var_open(lua_State *L, int env_index);   /* ngx.var */
void ngx_field_open(lua_State *L, int env_index); /* ngx.ctx, status …; gives `ngx` its metatable */
void ngx_arg_open(lua_State *L, int env_index);   /* ngx.arg */
void ngx_header_open(lua_State *L, int env_index);   /* ngx.header */
void ngx_output_open(lua_State *L, int env_index);   /* say, print, exit, redirect … */
void ngx_process_open(lua_State *L, int env_index);  /* get_phase, log, worker.* … */
void ngx_worker_open(lua_State *L, int env_index);   /* ngx.worker.* */
void module_cjson_open(lua_State *L, int env_index); /* require "cjson", "cjson.safe" */

/* Push what `ngx` has of that name, which `ngx` then keeps.  False, and nothing: it has none. */
bool ngx_push_constant(lua_State *L, struct str name);
bool ngx_push_subtable(lua_State *L, struct str name);

/* A string argument as ngx takes it: numbers are converted, nil is "" where is_nil_empty. */
struct str ngx_check_text(lua_State *L, int arg, bool is_nil_empty);

/* ngx.HTTP_GET … as a method name; NULL for an unknown number. */
const char *ngx_method_name(lua_Integer number);
