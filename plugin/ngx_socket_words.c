/* SPDX-License-Identifier: Apache-2.0
 * ngx.socket.*: what it says. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "plugin/engine.h"
#include "plugin/ngx_socket.h"
#include "plugin/ngx_table.h"
#include "shm/stat.h"

const char *ngx_socket_context(enum phase phase)
{
	static const char *const names[] = {[PHASE_CONFIGURE] = "init_worker_by_lua*",
			[PHASE_CERTIFICATE] = "ssl_certificate_by_lua*",
			[PHASE_HEADER_FILTER] = "header_filter_by_lua*",
			[PHASE_BODY_FILTER] = "body_filter_by_lua*",
			[PHASE_LOG] = "log_by_lua*",
			[PHASE_COUNT] = "init_by_lua*",
			[PHASE_BALANCER] = "balancer_by_lua*"};

	return (size_t)phase < PDK_COUNT(names) && names[phase] != NULL ? names[phase] : "phase";
}

void ngx_socket_push_errno(lua_State *L, int error)
{
	char text[80];

	snprintf(text, sizeof(text), "%s", strerrordesc_np(error));
	for (char *p = text; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	lua_pushstring(L, text);
}

void ngx_socket_note_denied(lua_State *L, const char *text)
{
	struct pdk_host *host = pdk_host(L);
	char quoted[700];

	if (host->conf->stat != NULL)
		stat_add((_Atomic uint64_t *)(uintptr_t)&host->conf->stat->plugin_egress_denied, 1);
	if (host->is_denial_logged)
		return;
	host->is_denial_logged = true;
	log_warn("a plugin may not connect there", "plugin=%s why=%s", host->plugin_name,
			log_quote(quoted, sizeof(quoted), str_of(text)));
}
