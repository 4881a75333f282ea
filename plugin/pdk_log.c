/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_log.h"

#include <stdio.h>

/* A message is cut there. */
#define MESSAGE_MAX_BYTES 4096

struct message {
	char text[MESSAGE_MAX_BYTES + 1];
	size_t n;
};

static void add(struct message *m, const char *p, size_t n)
{
	if (n > MESSAGE_MAX_BYTES - m->n)
		n = MESSAGE_MAX_BYTES - m->n;
	memcpy(m->text + m->n, p, n);
	m->n += n;
	m->text[m->n] = '\0';
}

/* True when this line may be printed; says once when the budget is spent. */
static bool spend_line(struct pdk_host *host)
{
	uint32_t max = host->limits.log_lines;

	if (max == 0 || host->spent.log_lines < max) {
		host->spent.log_lines++;
		return true;
	}
	if (host->spent.log_lines == max) {
		host->spent.log_lines++;
		log_warn("plugin printed too many log lines: the rest of this run is left out",
				"plugin=%s phase=%s log_lines=%u", host->plugin_name,
				phase_name(host->phase), max);
	}
	return false;
}

static void print(lua_State *L, enum log_level level, const char *text)
{
	struct pdk_host *host = pdk_host(L);
	lua_Debug where = {.currentline = 0};
	const char *id = host->exchange != NULL ? host->exchange->request.id : "";

	if (!spend_line(host))
		return;
	if (lua_getstack(L, 1, &where) == 1)
		lua_getinfo(L, "Sl", &where);
	vm_host_enter(L);
	log_at(level, text, "plugin=%s phase=%s at=%s:%d%s%s", host->plugin_name,
			phase_name(host->phase), where.short_src, where.currentline,
			id[0] != '\0' ? " request_id=" : "", id);
	vm_host_leave(L);
}

void pdk_log_text(lua_State *L, enum log_level level, const char *text)
{
	if (log_wants(level))
		print(L, level, text);
}

static void join_arguments(lua_State *L, struct message *m)
{
	m->n = 0;
	m->text[0] = '\0';
	for (int arg = 1, top = lua_gettop(L); arg <= top; arg++) {
		size_t n;
		const char *text = vm_push_text(L, arg, &n);

		add(m, text, n);
		lua_pop(L, 1);
	}
}

void pdk_log_arguments(lua_State *L, enum log_level level)
{
	struct message m;

	if (!log_wants(level))
		return;
	join_arguments(L, &m);
	print(L, level, m.text);
}

/* One modifier at `at`, or the '%' that begins none; what is behind it. */
static struct str expand_one(lua_State *L, struct str at, struct str namespace,
		const struct message *text, struct message *out)
{
	lua_Debug where = {.currentline = 0};
	char line[16];
	bool is_known = lua_getstack(L, 1, &where) == 1 && lua_getinfo(L, "Sln", &where) != 0;
	int n = snprintf(line, sizeof(line), "%d", where.currentline);
	const struct {
		struct str name, value;
	} rows[] = {
			{STR("%message"), {text->text, text->n}},
			{STR("%namespace"), namespace},
			{STR("%file_src"), str_of(is_known ? where.short_src : "?")},
			{STR("%line_src"), {line, (size_t)n}},
			{STR("%func_name"),
					str_of(is_known && where.name != NULL ? where.name : "?")},
	};

	for (size_t i = 0; i < PDK_COUNT(rows); i++) {
		/* "%%message" is no modifier: both signs stay. */
		if (str_starts(at, STR("%%")) && str_starts(str_from(at, 1), rows[i].name)) {
			add(out, at.p, rows[i].name.n + 1);
			return str_from(at, rows[i].name.n + 1);
		}
		if (str_starts(at, rows[i].name)) {
			add(out, rows[i].value.p, rows[i].value.n);
			return str_from(at, rows[i].name.n);
		}
	}
	add(out, "%", 1);
	return str_from(at, 1);
}

void pdk_log_formatted(lua_State *L, enum log_level level, struct str namespace, struct str format)
{
	struct message text, out = {.n = 0};

	if (!log_wants(level))
		return;
	join_arguments(L, &text);
	while (format.n != 0) {
		ptrdiff_t at = str_find_char(format, '%');
		size_t n = at < 0 ? format.n : (size_t)at;

		add(&out, format.p, n);
		format = str_from(format, n);
		if (format.n != 0)
			format = expand_one(L, format, namespace, &text, &out);
	}
	print(L, level, out.text);
}
