/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.lua: run in a bare environment, turned into JSON, checked as a schema.
 */
#include <errno.h>
#include <lua.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin/check_part.h"
#include "plugin/schema_part.h"

static const struct check_source name_source = {.field = "name", .file = "schema.lua"};

static const char *limit_text(enum vm_status status)
{
	if (status == VM_CPU)
		return "it takes more CPU time to load than its limit allows (an endless loop?)";
	if (status == VM_MEMORY)
		return "it takes more memory to load than its limit allows";
	if (status == VM_YIELDED)
		return "it must not wait while it loads";
	return "it was stopped while it loads: over its limits of CPU time or memory";
}

/* held_mb: the most memory it had, since what runs out first need not be what it wanted most. */
static bool finish_chunk(struct check *c, const struct check_source *source, struct vm_run *run,
		enum vm_status status, unsigned int held_mb, const struct why *why)
{
	lua_State *L;

	if (status == VM_ERROR) {
		check_add_why(c, source, why);
		return false;
	}
	if (status != VM_OK) {
		check_add_error(c, source, why->line,
				"%s (the limits are cpu_ms %u and memory_mb %u; it held %u MB)",
				limit_text(status), c->limits.cpu_ms, c->limits.memory_mb, held_mb);
		return false;
	}
	L = vm_run_state(run);
	if (lua_gettop(L) >= 1 && lua_istable(L, 1)) {
		lua_settop(L, 1);
		return true;
	}
	check_add_error(c, source, check_find_line(source->text, "return"),
			"must be a table: %s returned %s; end it with \"return { … }\"",
			source->file,
			lua_gettop(L) >= 1 ? lua_typename(L, lua_type(L, 1)) : "nothing");
	return false;
}

bool check_main_chunk(struct check *c, const struct check_source *source, vm_open_fn *open,
		void *user, struct vm **ret_vm, struct vm_run **ret_run)
{
	struct why why = WHY_NONE;
	struct str bytecode = {source->bytecode, source->bytecode_n};
	enum vm_status status;
	int r = vm_new(ret_vm, c->name != NULL ? c->name : "plugin", c->level, &c->limits, open,
			user);

	if (r == 0)
		r = vm_load(*ret_vm, bytecode, source->file, true, &why);
	if (r == 0)
		*ret_run = vm_run_new(*ret_vm);
	if (r < 0 || *ret_run == NULL) {
		check_add_error(c, source, 0, "cannot be loaded: %s",
				why.text[0] != '\0' ? why.text : "out of memory");
		return false;
	}
	lua_xmove(vm_main(*ret_vm), vm_run_state(*ret_run), 1);
	status = vm_start(*ret_run, 0, &why);
	return finish_chunk(c, source, *ret_run, status,
			(unsigned int)(vm_memory_peak_bytes(*ret_vm) >> 20), &why);
}

static void add_schema_error(void *arg, const char *path, const char *message)
{
	struct check *c = arg;
	const char *dot = strrchr(path, '.');
	const char *word = dot != NULL ? dot + 1 : path;
	int line = 0;

	/* "fields.config.fields.word.required": the innermost name the source spells. */
	while (line == 0 && *word != '\0') {
		char name[128];
		size_t n = strcspn(word, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, word);
		line = check_find_line(c->schema.text, name);
		if (word == path)
			break;
		word -= 2;
		while (word > path && word[-1] != '.')
			word--;
	}
	check_add_error(c, &c->schema, line, "%s%s%s", path, *path != '\0' ? ": " : "", message);
}

static void check_name(struct check *c)
{
	const char *name = json_string_value(json_object_get(c->form, "name"));

	if (c->name == NULL || name == NULL || strcmp(name, c->name) == 0)
		return;
	check_add_error(c, &name_source, check_find_line(c->schema.text, "name"),
			"the schema is named '%s', the plugin '%s': both must be the same", name,
			c->name);
}

static void check_form(struct check *c)
{
	json_t *errors = NULL;
	int r = schema_new(&c->compiled, c->form, &errors);

	if (r == -EINVAL)
		schema_error_each(errors, add_schema_error, c);
	else if (r < 0)
		check_add_error(c, &c->schema, 0, "cannot be compiled: %s", strerror(-r));
	json_decref(errors);
	check_name(c);
}

void check_schema_run(struct check *c)
{
	struct vm *vm = NULL;
	struct vm_run *run = NULL;

	if (check_main_chunk(c, &c->schema, check_open_schema, NULL, &vm, &run)) {
		c->form = check_convert(c, vm_run_state(run), 1);
		vm_run_free(run);
		if (c->form != NULL)
			check_form(c);
	}
	/* The VM is not torn down: its process ends with the verdict, and a plugin's finalizers
	 * get no further turn. */
}
