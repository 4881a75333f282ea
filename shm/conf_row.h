/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of the node configuration as data: finding a key, giving it a value.
 * Inner part of conf.
 */
#pragma once

#include "shm/conf.h"
#include "shm/conf_rule.h"

enum conf_type { CONF_TYPE_STRING, CONF_TYPE_LIST, CONF_TYPE_UINT, CONF_TYPE_SIZE, CONF_TYPE_BOOL };

struct conf_row {
	const char *name;
	enum conf_type type;
	size_t offset; /* in struct conf */
	const char *def, *help;
	struct conf_rule rule;
};

const struct conf_row *conf_rows(size_t *ret_n);
/* NULL when there is none. */
const struct conf_row *conf_row_find(struct str name);
/* The known key that differs least from name, or NULL when none is near. */
const char *conf_row_nearest(struct str name);

/* Parses, checks and stores.  0; -EINVAL with the problem; -ENOMEM. */
int conf_row_set(const struct conf_row *row, struct conf *c, struct str value,
		struct conf_problem *problem);
/* The value as text that conf_row_set() takes; in buf or owned by c. */
const char *conf_row_text(const struct conf_row *row, const struct conf *c, char *buf, size_t size);
/* The owned text of a STRING or LIST; NULL for other types. */
const char **conf_row_owned(const struct conf_row *row, struct conf *c);
