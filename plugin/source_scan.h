/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Lua source does with names, as far as its text tells: which functions it defines, what
 * they call, read and write.  Values are followed through locals and fields of local tables that
 * are assigned once; anything else is unknown, and nothing is said about it.  No Lua state, no
 * Lua is run; any bytes are accepted.  For plugin/check_rules.c.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

#define SCAN_FIELDS_MAX 6

enum scan_kind {
	SCAN_UNKNOWN,
	SCAN_GLOBAL,   /* name, then fields */
	SCAN_VARIABLE, /* a local or parameter */
	SCAN_FUNCTION, /* a function body of this source */
	SCAN_TABLE,    /* a table constructor of this source */
	SCAN_STRING,   /* name is its text */
};

/* A value: a root and the fields asked of it. */
struct scan_ref {
	enum scan_kind kind;
	int index; /* of the variable, function or table */
	struct str name;
	int n_fields;
	struct str fields[SCAN_FIELDS_MAX];
};

enum scan_use_kind {
	SCAN_CALL,
	SCAN_INDEX, /* a field of it is asked for that the text does not name */
	SCAN_READ,
	SCAN_BIND, /* becomes the value of a local or a field */
	SCAN_TEST, /* whether it is nil or false is asked */
	SCAN_PASS, /* an argument of the call `call` */
	SCAN_WRITE,
};

struct scan_use {
	enum scan_use_kind kind;
	struct scan_ref ref;
	int function;          /* in which it stands; 0 = the main chunk */
	int next;              /* the next use in the same function, -1 = none */
	int call;              /* SCAN_PASS: index of the call among the uses */
	bool is_method;        /* a:b() */
	struct str first_text; /* SCAN_CALL: the first argument, if it is a text */
	int line, column;
};

struct scan_variable {
	struct scan_ref value;
	int n_assigned;
};

/* container.name = value */
struct scan_field {
	struct scan_ref container, value;
	struct str name;
};

struct scan_function {
	int line, first_use, last_use;
};

struct scan {
	struct scan_use *uses;
	struct scan_variable *variables;
	struct scan_field *fields;
	struct scan_function *functions;
	size_t n_uses, n_variables, n_fields, n_functions, n_tables;
	size_t cap_uses, cap_variables, cap_fields, cap_functions;
	struct scan_ref returned; /* by the main chunk */
	long n_steps;             /* spent on resolving */
	bool is_whole; /* false: it was given up on, too deep or too large; then it says nothing */
};

/* s must be zero; its texts point into source.  0, -ENOMEM. */
int source_scan(struct scan *s, struct str source);
void scan_done(struct scan *s);

/* The value behind locals and fields: GLOBAL with all its fields, FUNCTION, TABLE or STRING
 * without any; VARIABLE without fields: a thing of its own that is not known further. */
struct scan_ref scan_resolve(struct scan *s, struct scan_ref ref);

/* For the parser.  Indices, or -1 without memory. */
int scan_add_use(struct scan *s, const struct scan_use *use);
int scan_add_variable(struct scan *s);
int scan_add_function(struct scan *s, int line);
int scan_add_field(
		struct scan *s, struct scan_ref container, struct str name, struct scan_ref value);
