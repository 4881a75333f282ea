/* SPDX-License-Identifier: Apache-2.0 */
#include "master/metric.h"

#include <stdarg.h>
#include <string.h>

#include "base/check.h"

struct row {
	const char *prefix, *field, *type, *labels, *help;
};

#define TYPE_COUNTER "counter"
#define TYPE_GAUGE "gauge"

static const struct row rows[METRIC_COUNT] = {
#define X(name, type, labels, help) [METRIC_##name] = {"", #name, type, labels, help},
		METRICS_KONG(X) METRICS_OWN(X)
#undef X
#define X(field, metric, help, ...) \
	[METRIC_time_##field] = {"", metric, "histogram", "service,route,workspace", help},
				TRAFFIC_SPREADS(X)
#undef X
#define X(field, kind, unit, help) \
	[METRIC_worker_##field] = {"sluice_worker_", #field, TYPE_##kind, "worker", help},
						STAT_WORKER(X)
#undef X
#define X(field, type, help) \
	[METRIC_plugin_##field] = {"sluice_plugin_", #field, type, "plugin", help},
								COUNTS_TABLE(X)
#undef X
#define X(field, kind, help) [METRIC_dict_##field] = {"sluice_dict_", #field, #kind, "", help},
										DICT_STATS(X)
#undef X
#define X(field, help) \
	[METRIC_steering_##field] = {"sluice_steering_", #field, "counter", "", help},
												STEER_COUNTS(X)
#undef X
};

/* Ours are made of fields; names of their own stand as they are. */
static bool is_field(const struct row *r)
{
	return r->prefix[0] != '\0';
}

static bool is_ns(const struct row *r)
{
	return is_field(r) && str_ends(str_of(r->field), STR("_ns"));
}

static bool is_counter_by_name(const struct row *r)
{
	return !is_field(r) || strcmp(r->type, "counter") != 0 ||
	       str_ends(str_of(r->field), STR("_total"));
}

static void name_of(const struct row *r, char ret[METRIC_NAME_MAX])
{
	size_t n = strlen(r->field) - (is_ns(r) ? 3 : 0);

	snprintf(ret, METRIC_NAME_MAX, "%s%.*s%s%s", r->prefix, (int)n, r->field,
			is_ns(r) ? "_seconds" : "", is_counter_by_name(r) ? "" : "_total");
}

void metric_get(enum metric_id id, struct metric *ret)
{
	const struct row *r = &rows[id];

	*ret = (struct metric){.type = r->type, .labels = r->labels, .help = r->help};
	name_of(r, ret->name);
}

void metric_head(struct buf *out, enum metric_id id)
{
	struct metric m;

	metric_get(id, &m);
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.type);
}

/* Backslash, quote and newline escaped; other control characters left out. */
static void add_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"') {
			buf_add(out, "\\", 1);
			buf_add(out, value, 1);
		} else if (*value == '\n') {
			buf_add(out, "\\n", 2);
		} else if ((unsigned char)*value >= ' ') {
			buf_add(out, value, 1);
		}
	}
}

static void add_labels(struct buf *out, enum metric_id id, va_list values)
{
	const char *name = rows[id].labels;

	while (*name != '\0') {
		size_t n = strcspn(name, ",");

		buf_add(out, name, n);
		buf_add(out, "=\"", 2);
		add_value(out, va_arg(values, const char *));
		name += n;
		buf_add(out, "\",", *name == ',' ? 2 : 1);
		name += *name == ',';
	}
}

void metric_labels(struct buf *out, enum metric_id id, ...)
{
	va_list values;

	va_start(values, id);
	add_labels(out, id, values);
	va_end(values);
}

void metric_number(struct buf *out, uint64_t v)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	buf_add(out, p, (size_t)(text + sizeof(text) - p));
}

/* Made once. */
static const char *name_kept(enum metric_id id)
{
	static char names[METRIC_COUNT][METRIC_NAME_MAX];

	if (names[id][0] == '\0')
		name_of(&rows[id], names[id]);
	return names[id];
}

static void begin_line(struct buf *out, enum metric_id id, va_list values)
{
	buf_add_str(out, str_of(name_kept(id)));
	if (rows[id].labels[0] == '\0')
		return;
	buf_add(out, "{", 1);
	add_labels(out, id, values);
	buf_add(out, "}", 1);
}

void metric_line(struct buf *out, enum metric_id id, uint64_t v, ...)
{
	va_list values;

	va_start(values, v);
	begin_line(out, id, values);
	va_end(values);
	if (is_ns(&rows[id])) {
		buf_printf(out, " %.9f\n", (double)v / 1e9);
		return;
	}
	buf_add(out, " ", 1);
	metric_number(out, v);
	buf_add(out, "\n", 1);
}

void metric_line_f(struct buf *out, enum metric_id id, double v, ...)
{
	va_list values;

	va_start(values, v);
	begin_line(out, id, values);
	va_end(values);
	buf_printf(out, " %.3f\n", v);
}

void metric_only(struct buf *out, enum metric_id id, uint64_t v)
{
	sl_assert(rows[id].labels[0] == '\0');
	metric_head(out, id);
	metric_line(out, id, v);
}

void metric_print_help(FILE *out)
{
	struct metric m;

	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		metric_get((enum metric_id)id, &m);
		fprintf(out, "%s\t%s\t%s\t%s\n", m.name, m.type, m.labels, m.help);
	}
}
