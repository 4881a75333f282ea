/* SPDX-License-Identifier: Apache-2.0
 *
 * The node configuration `sluice.yaml`: read by sluiced, sluice-control and sluicectl;
 * handed to children on a memfd, so that only the first process reads the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/conf_table.h"

/* STRING, LIST → const char *, UINT → uint32_t, SIZE → uint64_t, BOOL → bool */
#define CONF_STRING const char *
#define CONF_LIST const char *
#define CONF_UINT uint32_t
#define CONF_SIZE uint64_t
#define CONF_BOOL bool

struct conf {
#define X(name, type, def, rule, help) CONF_##type name;
	CONF_TABLE(X)
#undef X
};

/* Defaults, then the file (NULL = none), then SLUICE_<KEY>.  In YAML, `plugin_limits:` with
 * cpu_ms, memory_mb, log_lines, source_kb below it is the same as plugin_limits_cpu_ms ….
 * Relative paths are made absolute.  An unknown key, a wrong type, a value out of range: -EINVAL,
 * why has file, line, and the nearest known key.  Every value is checked (roles, levels, addresses,
 * numbers with units k/m/g for SIZE). */
int conf_load(struct conf **ret, const char *file, struct why *why);
void conf_free(struct conf *c);
SL_DEFINE_AUTO(conf);

/* A sealed memfd with every value / the same back. */
int conf_to_fd(const struct conf *c, struct why *why);
int conf_from_fd(struct conf **ret, int fd, struct why *why);

/* Every key with default, environment name and help, as a YAML file of comments. */
void conf_print_help(FILE *out);

/* Members of a LIST: *at walks; false at the end. `off` and "" are empty lists. */
bool conf_list_next(const char **at, struct str *ret);

struct conf_address {
	char host[64]; /* numeric, without brackets */
	uint16_t port;
	bool is_v6, is_tls;
	bool is_dual; /* an IPv6 address that takes IPv4 clients, too */
};
/* "127.0.0.1:8000", "[::]:8000", "8000" (any v4 address); behind it, in any order: " ssl" for TLS,
 * " ipv6only=on" (as without) or " ipv6only=off".  -EINVAL with why. */
int conf_parse_address(struct str text, struct conf_address *ret, struct why *why);

/* Some proxy_listen is for TLS. */
bool conf_has_tls(const struct conf *c);
/* Below prefix: the certificate that the node makes where ssl_cert gives none. */
#define CONF_OWN_CERTIFICATE "ssl/default.crt"
#define CONF_OWN_KEY "ssl/default.key"

#define CONF_WORKERS_MAX 64 /* BOARD_SLOTS_MAX / BOARD_SEATS */
/* workers: auto resolved: usable CPUs, 1 … CONF_WORKERS_MAX. */
uint32_t conf_workers(const struct conf *c);
/* workers_max: auto resolved, and not below the former. */
uint32_t conf_workers_max(const struct conf *c);

/* "<prefix>/<name>" malloc'd; NULL = out of memory. */
char *conf_path(const struct conf *c, const char *name);
