/* SPDX-License-Identifier: Apache-2.0 */
#include "master/reload.h"

#include <string.h>

static bool is_same_string(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool is_same_number(uint64_t a, uint64_t b)
{
	return a == b;
}

#define SAME_STRING is_same_string
#define SAME_LIST is_same_string
#define SAME_UINT is_same_number
#define SAME_SIZE is_same_number
#define SAME_BOOL is_same_number

int reload_compare(const struct conf *running, const char *file, enum log_level *ret_level,
		struct buf *notes, struct why *why)
{
	sl_auto(conf) fresh = NULL;
	int r = conf_load(&fresh, file, why);

	if (r < 0)
		return r;
	if (!log_level_parse(str_of(fresh->log_level), ret_level))
		*ret_level = log_level();
#define X(name, type, ...) \
	if (strcmp(#name, "log_level") != 0 && !SAME_##type(running->name, fresh->name)) \
		buf_printf(notes, "%s changed: takes effect after a restart\n", #name);
	CONF_TABLE(X)
#undef X
	return 0;
}
