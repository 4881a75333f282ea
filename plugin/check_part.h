/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of sluice-check: one question, answered step by step; each step adds errors and
 * leaves what the next one needs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "base/why.h"
#include "plugin/schema.h"
#include "plugin/vm.h"

struct lua_State;

/* One of the two sources. */
struct check_source {
	const char *field; /* "handler", "schema" */
	const char *file;  /* "handler.lua", or the path given to --lint */
	struct str text;
	bool is_given, is_good;
	char *bytecode; /* owned */
	size_t bytecode_n;
};

struct check {
	const char *name; /* NULL: whatever the schema says (--lint) */
	const char *user; /* the child becomes this user when it is started as root */
	enum vm_level level;
	struct vm_limits limits;
	size_t source_max;
	bool wants_bytecode;
	struct check_source handler, schema;
	const json_t *configs;

	json_t *errors, *warnings; /* arrays of {field,file,line,message,…} */
	json_t *form;              /* of the schema */
	struct schema *compiled;
	json_t *phases; /* names */
	long priority;
	char version[64];
};

void check_init(struct check *c);
void check_done(struct check *c);
/* The whole answer, after jail_enter(): sizes, compilation, schema, handler, configurations. */
void check_run_all(struct check *c);
/* The ← object of check_client.h.  New reference. */
json_t *check_reply(const struct check *c);

/* check_report.c.  line 0 = unknown: then 1. */
void check_add_error(struct check *c, const struct check_source *source, int line, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
/* Of a rule of lint: where exactly, and the rule's name. */
struct check_place {
	int line, column;
	const char *rule;
};
void check_add_at(struct check *c, const struct check_source *source,
		const struct check_place *place, bool is_error, const char *text);
void check_add_why(struct check *c, const struct check_source *source, const struct why *why);
void check_add_warning(struct check *c, const struct check_source *source, int line,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The first line where `word` is assigned or declared ("word ="), else 0. */
int check_find_line(struct str source, const char *word);

/* check_request.c: the → object; strings are borrowed from it.  False: an error was added. */
bool check_read_request(struct check *c, const json_t *request);

/* check_schema.c: sets form and compiled. */
void check_schema_run(struct check *c);
/* check_typedefs.c: what a schema may require; a vm_open_fn. */
void check_open_schema(struct lua_State *L, int env_index);
/* check_convert.c: the table at idx as JSON; NULL with an error added.  New reference. */
json_t *check_convert(struct check *c, struct lua_State *L, int idx);

/* check_handler.c: sets priority, version, phases. */
void check_handler_run(struct check *c);
/* Runs a source's main chunk in a new VM.  On true *ret_vm and *ret_run hold its one result, a
 * table, at index 1 of the run's stack; else an error was added. */
bool check_main_chunk(struct check *c, const struct check_source *source, vm_open_fn *open,
		void *user, struct vm **ret_vm, struct vm_run **ret_run);

/* check_config.c: every configuration of the request against the schema. */
void check_configs_run(struct check *c);

/* check_lint.c: paths of sources; the exit status. */
struct lint_options {
	bool is_json;
	enum vm_level level;
};
int check_lint(int n_paths, char **paths, const struct lint_options *o);
/* check_main.c: jails this process for good; 0 or -errno with why. */
int check_enter_jail(const struct check *c, struct why *why);
