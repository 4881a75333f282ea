/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/lint_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/engine.h"
#include "plugin/sandbox_table.h"

#define ROWS_MAX 128
#define NAME_BYTES 160

struct lint_world {
	struct engine_conf conf[2];
	struct pdk_host host[2];
	struct vm *vm[2]; /* by level */
	char like[NAME_BYTES];
};

/* What pdk_register() was told while the lax VM was made; the tables are static. */
static struct {
	const char *path;
	const struct pdk_function *rows;
	size_t n;
} tables[ROWS_MAX];
static size_t n_tables;

static void note_table(const char *path, const struct pdk_function *rows, size_t n)
{
	if (n_tables == ROWS_MAX)
		return;
	tables[n_tables].path = path;
	tables[n_tables].rows = rows;
	tables[n_tables++].n = n;
}

static const char *const lua_names[] = {
#define X(name, source, level, doc) name,
		SANDBOX_GLOBALS(X)
#undef X
};

static int make_vm(struct lint_world *w, enum vm_level level)
{
	static const struct vm_limits limits = {.memory_mb = 64};

	w->conf[level] = (struct engine_conf){.level = level,
			.node_id = "00000000-0000-4000-8000-000000000000",
			.hostname = "localhost",
			.version = PACKAGE_VERSION,
			.workers_total = 1};
	w->host[level] = (struct pdk_host){.conf = &w->conf[level],
			.level = level,
			.plugin_name = "lint",
			.phase = PHASE_COUNT};
	return vm_new(&w->vm[level], "lint", level, &limits, pdk_open, &w->host[level]);
}

int lint_world_new(struct lint_world **ret)
{
	sl_auto(lint_world) w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	n_tables = 0;
	pdk_observer = note_table;
	if (make_vm(w, VM_LAX) < 0)
		return -ENOMEM;
	pdk_observer = NULL;
	if (make_vm(w, VM_STRICT) < 0)
		return -ENOMEM;
	*ret = sl_steal(w);
	return 0;
}

void lint_world_free(struct lint_world *w)
{
	if (w == NULL)
		return;
	vm_free(w->vm[VM_STRICT]);
	vm_free(w->vm[VM_LAX]);
	free(w);
}

static struct str part_of(const struct scan_ref *path, int part)
{
	return part == 0 ? path->name : path->fields[part - 1];
}

struct str lint_path_text(const struct scan_ref *path, char *buf, size_t size)
{
	size_t n = 0;

	for (int i = 0; i <= path->n_fields && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%.*s", i != 0 ? "." : "",
				STR_ARG(part_of(path, i)));
	return (struct str){buf, n < size ? n : size - 1};
}

/* ---- asking a VM ---- */

/* t[k], with its metamethods: all of them are ours. */
static int get_field(lua_State *L)
{
	lua_gettable(L, 1);
	return 1;
}

/* The table at the top becomes its field; false: asking raised, and nothing is left. */
static bool step_into(lua_State *L, struct str name)
{
	lua_pushcfunction(L, get_field);
	lua_insert(L, -2);
	lua_pushlstring(L, name.p, name.n);
	if (lua_pcall(L, 2, 1, 0) == 0)
		return true;
	lua_pop(L, 1);
	return false;
}

/* Of the table at the top, which is the path's part before `part`: fields made by a function, but
 * for ngx, whose few are asked one by one; or what the node's configuration says. */
static bool makes_fields(lua_State *L, const struct scan_ref *path, int part)
{
	bool does = false;

	if (part == 2 && str_eq(path->name, STR("kong")) &&
			str_eq(path->fields[0], STR("configuration")))
		return true;
	if (part == 0 || (part == 1 && str_eq(path->name, STR("ngx"))) || !lua_getmetatable(L, -1))
		return false;
	lua_pushliteral(L, "__index");
	lua_rawget(L, -2);
	does = lua_isfunction(L, -1);
	lua_pop(L, 2);
	return does;
}

static enum lint_answer walk(lua_State *L, const struct scan_ref *path, int *ret_part)
{
	vm_push_environment(L);
	for (int i = 0; i <= path->n_fields; i++) {
		*ret_part = i;
		if (!lua_istable(L, -1) || makes_fields(L, path, i))
			return LINT_OPEN;
		if (!step_into(L, part_of(path, i)))
			return LINT_OPEN;
		if (lua_isnil(L, -1))
			return LINT_MISSING;
	}
	return LINT_THERE;
}

enum lint_answer lint_world_ask(struct lint_world *w, enum vm_level level,
		const struct scan_ref *path, int *ret_part)
{
	lua_State *L = vm_main(w->vm[level]);
	int top = lua_gettop(L);
	enum lint_answer answer = walk(L, path, ret_part);

	lua_settop(L, top);
	return answer;
}

/* The table at the top takes new fields, as far as its metatable tells. */
static bool takes_fields(lua_State *L)
{
	bool does;

	if (!lua_istable(L, -1) || !lua_getmetatable(L, -1))
		return true;
	/* A read-only view leads to a table behind it. */
	lua_pushliteral(L, "__index");
	lua_rawget(L, -2);
	does = !lua_istable(L, -1);
	lua_pop(L, 2);
	return does;
}

/* Tables that look open but take a few names only. */
static bool is_closed(const struct scan_ref *path)
{
	if (str_eq(path->name, STR("ngx")) && path->n_fields == 1)
		return !str_eq(path->fields[0], STR("status")) &&
		       !str_eq(path->fields[0], STR("ctx"));
	return str_eq(path->name, STR("kong")) && path->n_fields == 2 &&
	       str_eq(path->fields[0], STR("ctx"));
}

bool lint_world_is_writable(struct lint_world *w, const struct scan_ref *path)
{
	lua_State *L = vm_main(w->vm[VM_LAX]);
	struct scan_ref container = *path;
	int top = lua_gettop(L), part;
	bool is_writable;

	if (path->n_fields == 0 || is_closed(path))
		return false;
	container.n_fields--;
	is_writable = walk(L, &container, &part) != LINT_THERE || takes_fields(L);
	lua_settop(L, top);
	return is_writable;
}

bool lint_world_has_module(struct lint_world *w, enum vm_level level, struct str name)
{
	lua_State *L = vm_main(w->vm[level]);
	int top = lua_gettop(L);
	bool has;

	vm_push_environment(L);
	lua_getfield(L, -1, "require");
	lua_pushlstring(L, name.p, name.n);
	has = lua_pcall(L, 1, 1, 0) == 0;
	lua_settop(L, top);
	return has;
}

/* ---- the tables ---- */

static struct str row_name(size_t table, size_t row, char *buf, size_t size)
{
	const char *name = tables[table].rows[row].name;
	int n = snprintf(buf, size, "%s%s%s", tables[table].path, name[0] != '\0' ? "." : "", name);

	return (struct str){buf, n > 0 && (size_t)n < size ? (size_t)n : 0};
}

const struct pdk_function *lint_world_row(const struct lint_world *w, struct str name)
{
	char buf[NAME_BYTES];

	(void)w;
	for (size_t t = 0; t < n_tables; t++)
		for (size_t i = 0; i < tables[t].n; i++)
			if (str_eq(row_name(t, i, buf, sizeof(buf)), name))
				return &tables[t].rows[i];
	return NULL;
}

/* Changes of one letter, or of two neighbours' places, from a to b. */
static size_t distance(struct str a, struct str b)
{
	size_t rows[3][NAME_BYTES + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.n; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
					a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b.n];
}

static struct str last_part(struct str name)
{
	for (size_t i = name.n; i > 0; i--)
		if (name.p[i - 1] == '.')
			return str_from(name, i);
	return name;
}

/* The same function of another table is closer than another function of the same. */
static void consider(struct lint_world *w, struct str wanted, struct str name, size_t *best)
{
	bool is_namesake = wanted.n != last_part(wanted).n &&
			   str_eq(last_part(wanted), last_part(name));
	size_t far;

	if (name.n == 0 || name.n >= NAME_BYTES)
		return;
	far = is_namesake ? 0 : 100;
	far += distance(wanted, name);
	if (far < *best && (is_namesake || far - 100 <= (wanted.n > 12 ? 3 : wanted.n / 3))) {
		*best = far;
		(void)snprintf(w->like, sizeof(w->like), "%.*s", STR_ARG(name));
	}
}

const char *lint_world_like(struct lint_world *w, struct str name)
{
	char buf[NAME_BYTES];
	size_t best = 200;

	if (name.n >= NAME_BYTES)
		return NULL;
	for (size_t t = 0; t < n_tables; t++)
		for (size_t i = 0; i < tables[t].n; i++)
			consider(w, name, row_name(t, i, buf, sizeof(buf)), &best);
	for (size_t i = 0; i < PDK_COUNT(lua_names); i++)
		consider(w, name, str_of(lua_names[i]), &best);
	return best < 200 ? w->like : NULL;
}
