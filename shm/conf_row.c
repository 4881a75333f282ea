/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/conf_row.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_VALUE_BYTES_MAX 16384

#define ANY .kind = RULE_ANY
#define FILLED .kind = RULE_FILLED
#define PATH .kind = RULE_PATH
#define PATHS .kind = RULE_PATHS
#define PREFIX .kind = RULE_PREFIX
#define LISTEN .kind = RULE_LISTEN
#define LISTEN_TLS .kind = RULE_LISTEN_TLS
#define PEERS .kind = RULE_PEERS
#define SERVERS .kind = RULE_SERVERS
#define NETS .kind = RULE_NETS
#define EGRESS .kind = RULE_EGRESS
#define LABELS .kind = RULE_LABELS
#define WORKERS .kind = RULE_WORKERS
#define SHARE .kind = RULE_SHARE
#define URL .kind = RULE_URL
#define ONE_OF(text) .kind = RULE_ONE_OF, .words = (text)
#define RANGE(low, high) .kind = RULE_RANGE, .min = (low), .max = (high)

static const struct conf_row rows[] = {
#define X(name, type, def, rule, help) \
	{#name, CONF_TYPE_##type, offsetof(struct conf, name), def, help, {rule}},
		CONF_TABLE(X)
#undef X
};

#define CONF_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct conf_row *conf_rows(size_t *ret_n)
{
	*ret_n = CONF_ROWS;
	return rows;
}

const struct conf_row *conf_row_find(struct str name)
{
	for (size_t i = 0; i < CONF_ROWS; i++)
		if (str_eq(name, str_of(rows[i].name)))
			return &rows[i];
	return NULL;
}

#define NAME_BYTES_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance, one row at a time. */
static unsigned name_distance(struct str a, struct str b)
{
	unsigned line[NAME_BYTES_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		line[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned diagonal = line[0];

		line[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned above = line[j];
			bool is_same = ascii_lower(a.p[i - 1]) == b.p[j - 1];

			line[j] = min3(above + 1, line[j - 1] + 1, diagonal + !is_same);
			diagonal = above;
		}
	}
	return line[b.n];
}

const char *conf_row_nearest(struct str name)
{
	unsigned best = UINT_MAX;
	const char *nearest = NULL;

	if (name.n > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < CONF_ROWS; i++) {
		unsigned d = name_distance(name, str_of(rows[i].name));

		if (d >= best)
			continue;
		best = d;
		nearest = rows[i].name;
	}
	return best <= 2 + name.n / 4 ? nearest : NULL;
}

static void *row_field(const struct conf_row *row, const struct conf *c)
{
	return (void *)((uintptr_t)c + row->offset);
}

const char **conf_row_owned(const struct conf_row *row, struct conf *c)
{
	if (row->type != CONF_TYPE_STRING && row->type != CONF_TYPE_LIST)
		return NULL;
	return row_field(row, c);
}

static bool parse_bool(struct str value, bool *ret)
{
	static const char *const yes[] = {"on", "true", "yes", "1"};
	static const char *const no[] = {"off", "false", "no", "0"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_ieq(value, str_of(yes[i])) || str_ieq(value, str_of(no[i]))) {
			*ret = str_ieq(value, str_of(yes[i]));
			return true;
		}
	}
	return false;
}

/* "8k" = 8192. */
static bool parse_size(struct str value, uint64_t *ret)
{
	static const char units[] = "kmg";
	unsigned shift = 0;
	uint64_t v;

	for (unsigned i = 0; value.n > 1 && i < sizeof(units) - 1; i++)
		if (ascii_lower(value.p[value.n - 1]) == units[i])
			shift = 10 * (i + 1);
	if (shift != 0)
		value.n--;
	if (!str_to_u64(value, &v) || v > UINT64_MAX >> shift)
		return false;
	*ret = v << shift;
	return true;
}

static int set_number(const struct conf_row *row, struct conf *c, struct str value,
		struct conf_problem *problem)
{
	bool is_size = row->type == CONF_TYPE_SIZE;
	uint64_t v;

	if (is_size ? !parse_size(value, &v) : !str_to_u64(value, &v) || v > UINT32_MAX) {
		conf_problem_set(problem, "\"%.*s\" is not a whole number%s",
				(int)(value.n < 80 ? value.n : 80), value.p,
				is_size ? " of bytes (units: k, m, g)" : "");
		return -EINVAL;
	}
	if (!conf_rule_check_number(&row->rule, v, problem))
		return -EINVAL;
	if (is_size)
		*(uint64_t *)row_field(row, c) = v;
	else
		*(uint32_t *)row_field(row, c) = (uint32_t)v;
	return 0;
}

static int set_bool(const struct conf_row *row, struct conf *c, struct str value,
		struct conf_problem *problem)
{
	if (parse_bool(value, row_field(row, c)))
		return 0;
	conf_problem_set(problem, "\"%.*s\" is neither on nor off",
			(int)(value.n < 80 ? value.n : 80), value.p);
	return -EINVAL;
}

/* Children run in other directories, so that a relative path means nothing to them. */
static char *absolute_path(struct str value)
{
	char cwd[PATH_MAX], *path = NULL;

	while (value.n > 1 && value.p[value.n - 1] == '/')
		value.n--;
	if (value.n == 0 || value.p[0] == '/')
		return strndup(value.n != 0 ? value.p : "", value.n);
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return NULL;
	return asprintf(&path, "%s/%.*s", cwd, STR_ARG(value)) < 0 ? NULL : path;
}

static int set_text(const struct conf_row *row, struct conf *c, struct str value,
		struct conf_problem *problem)
{
	bool is_path = row->rule.kind == RULE_PATH || row->rule.kind == RULE_PREFIX;
	const char **owned = conf_row_owned(row, c);
	char *text;

	if (value.n > CONF_VALUE_BYTES_MAX || (value.n != 0 && memchr(value.p, 0, value.n))) {
		conf_problem_set(problem, "holds a NUL byte or is longer than %d bytes",
				CONF_VALUE_BYTES_MAX);
		return -EINVAL;
	}
	text = is_path ? absolute_path(value) : strndup(value.n != 0 ? value.p : "", value.n);
	if (text == NULL)
		return -ENOMEM;
	if (!conf_rule_check(&row->rule, str_of(text), row->type == CONF_TYPE_LIST, problem)) {
		free(text);
		return -EINVAL;
	}
	free((void *)(uintptr_t)*owned);
	*owned = text;
	return 0;
}

int conf_row_set(const struct conf_row *row, struct conf *c, struct str value,
		struct conf_problem *problem)
{
	static int (*const setters[])(const struct conf_row *, struct conf *, struct str,
			struct conf_problem *) = {
			[CONF_TYPE_STRING] = set_text,
			[CONF_TYPE_LIST] = set_text,
			[CONF_TYPE_UINT] = set_number,
			[CONF_TYPE_SIZE] = set_number,
			[CONF_TYPE_BOOL] = set_bool,
	};

	problem->text[0] = '\0';
	return setters[row->type](row, c, str_trim(value), problem);
}

const char *conf_row_text(const struct conf_row *row, const struct conf *c, char *buf, size_t size)
{
	const void *field = row_field(row, c);

	if (row->type == CONF_TYPE_STRING || row->type == CONF_TYPE_LIST)
		return *(const char *const *)field;
	if (row->type == CONF_TYPE_BOOL)
		snprintf(buf, size, "%s", *(const bool *)field ? "on" : "off");
	else if (row->type == CONF_TYPE_UINT)
		snprintf(buf, size, "%" PRIu32, *(const uint32_t *)field);
	else
		snprintf(buf, size, "%" PRIu64, *(const uint64_t *)field);
	return buf;
}
