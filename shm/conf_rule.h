/* SPDX-License-Identifier: Apache-2.0
 *
 * What a value of the node configuration must look like (the rule column of
 * shm/conf_table.h).  Inner part of conf.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum conf_rule_kind {
	RULE_ANY,
	RULE_FILLED,     /* not empty */
	RULE_ONE_OF,     /* one of `words`; in a LIST each member is */
	RULE_RANGE,      /* min ≤ value ≤ max */
	RULE_PATH,       /* a file or directory, "" = none */
	RULE_PATHS,      /* absolute paths of files … */
	RULE_PREFIX,     /* a directory short enough for a unix socket below it */
	RULE_LISTEN,     /* address:port … */
	RULE_LISTEN_TLS, /* … with " ssl" behind it or not */
	RULE_PEERS,      /* host:port … */
	RULE_SERVERS,    /* numeric address with or without port … */
	RULE_NETS,       /* address or CIDR … */
	RULE_EGRESS,     /* any, address, CIDR, host or *.suffix, with or without port … */
	RULE_LABELS,     /* name=value … */
	RULE_WORKERS,    /* auto, or a number */
	RULE_SHARE,      /* 0 … 1 */
	RULE_URL,        /* http(s)://host[:port][/path], "" = none */
	RULE_KINDS
};

struct conf_rule {
	enum conf_rule_kind kind;
	const char *words; /* ONE_OF: space-separated */
	uint64_t min, max; /* RANGE */
};

/* A sentence part that says what is wrong ("must be one of …"). */
struct conf_problem {
	char text[640];
};
#define conf_problem_set(p, ...) snprintf((p)->text, sizeof((p)->text), __VA_ARGS__)

/* Text values; false with the problem. */
bool conf_rule_check(const struct conf_rule *rule, struct str value, bool is_list,
		struct conf_problem *problem);
/* Numbers. */
bool conf_rule_check_number(const struct conf_rule *rule, uint64_t v, struct conf_problem *problem);
