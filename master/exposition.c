/* SPDX-License-Identifier: Apache-2.0 */
#include "master/exposition.h"

void exposition_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_label(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_printf(out, "\\%c", *value);
		else if (*value == '\n')
			buf_add(out, "\\n", 2);
		else if ((unsigned char)*value >= ' ')
			buf_add(out, value, 1);
	}
}

void exposition_pair(struct buf *out, const char *name, const char *value, bool is_first)
{
	buf_printf(out, "%s%s=\"", is_first ? "" : ",", name);
	exposition_label(out, value);
	buf_add(out, "\"", 1);
}
