/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of a Lua source (plugin/source_scan.h).
 */
#include "plugin/source_parse.h"

#include <errno.h>
#include <stdlib.h>

static const struct scan_ref unknown = {.kind = SCAN_UNKNOWN};

/* ---- the parser's own tools ---- */

void parser_lose(struct parser *p)
{
	p->is_lost = true;
	p->now.kind = p->ahead.kind = TOKEN_END;
	p->now.text = p->ahead.text = STR("");
}

void parser_next(struct parser *p)
{
	if (p->is_lost)
		return;
	p->now = p->ahead;
	p->ahead = source_lex_next(&p->lex);
}

bool parser_is(const struct parser *p, const char *text)
{
	return p->now.kind != TOKEN_STRING && p->now.kind != TOKEN_END &&
	       str_eq(p->now.text, str_of(text));
}

bool parser_take(struct parser *p, const char *text)
{
	if (!parser_is(p, text))
		return false;
	parser_next(p);
	return true;
}

void parser_expect(struct parser *p, const char *text)
{
	if (!parser_take(p, text))
		parser_lose(p);
}

int parser_declare(struct parser *p, struct str name)
{
	int variable = p->n_locals < PARSE_LOCALS_MAX ? scan_add_variable(p->scan) : -1;

	if (variable < 0)
		parser_lose(p);
	else
		p->locals[p->n_locals++] = (struct parser_local){name, variable};
	return variable;
}

void parser_assign(struct parser *p, int variable, struct scan_ref value)
{
	if (variable < 0)
		return;
	p->scan->variables[variable].value = value;
	p->scan->variables[variable].n_assigned++;
}

/* What comes from outside the text: twice assigned, so that nothing is known of it. */
static void declare_unknown(struct parser *p, struct str name)
{
	int variable = parser_declare(p, name);

	parser_assign(p, variable, unknown);
	parser_assign(p, variable, unknown);
}

int parser_note(struct parser *p, enum scan_use_kind kind, const struct expression *e, int call)
{
	const struct scan_use use = {.kind = kind,
			.ref = e->ref,
			.function = p->function,
			.call = call,
			.line = e->place.line,
			.column = e->place.column};
	int index = 0;

	if (p->is_lost || (e->ref.kind == SCAN_UNKNOWN && kind != SCAN_CALL))
		return -1;
	index = scan_add_use(p->scan, &use);
	if (index < 0)
		parser_lose(p);
	return index;
}

/* ---- blocks ---- */

static void read_statement(struct parser *p);

static bool is_block_end(const struct parser *p)
{
	return p->is_lost || p->now.kind == TOKEN_END || parser_is(p, "end") ||
	       parser_is(p, "else") || parser_is(p, "elseif") || parser_is(p, "until");
}

static void read_statements(struct parser *p)
{
	if (++p->depth > PARSE_DEPTH_MAX)
		parser_lose(p);
	while (!is_block_end(p))
		read_statement(p);
	p->depth--;
}

static void read_block(struct parser *p)
{
	int n_locals = p->n_locals;

	read_statements(p);
	p->n_locals = n_locals;
}

static void read_parameters(struct parser *p)
{
	parser_expect(p, "(");
	while (!p->is_lost && !parser_is(p, ")")) {
		if (p->now.kind == TOKEN_NAME)
			declare_unknown(p, p->now.text);
		else if (!parser_is(p, "..."))
			parser_lose(p);
		parser_next(p);
		if (!parser_take(p, ","))
			break;
	}
	parser_expect(p, ")");
}

int parse_body(struct parser *p, const struct scan_ref *self, int line)
{
	int outer = p->function, n_locals = p->n_locals;
	int function = p->is_lost ? -1 : scan_add_function(p->scan, line);

	if (function < 0) {
		parser_lose(p);
		return -1;
	}
	p->function = function;
	if (self != NULL)
		parser_assign(p, parser_declare(p, STR("self")), *self);
	read_parameters(p);
	read_statements(p);
	parser_expect(p, "end");
	p->function = outer;
	p->n_locals = n_locals;
	return function;
}

/* ---- statements ---- */

static void read_condition(struct parser *p)
{
	struct expression e = parse_expression(p);

	parser_use(p, SCAN_TEST, &e);
}

static void read_if(struct parser *p)
{
	do {
		parser_next(p);
		read_condition(p);
		parser_expect(p, "then");
		read_block(p);
	} while (parser_is(p, "elseif"));
	if (parser_take(p, "else"))
		read_block(p);
	parser_expect(p, "end");
}

static void read_while(struct parser *p)
{
	parser_next(p);
	read_condition(p);
	parser_expect(p, "do");
	read_block(p);
	parser_expect(p, "end");
}

/* The condition sees the locals of the block. */
static void read_repeat(struct parser *p)
{
	int n_locals = p->n_locals;

	parser_next(p);
	read_statements(p);
	parser_expect(p, "until");
	read_condition(p);
	p->n_locals = n_locals;
}

static void read_values(struct parser *p)
{
	do {
		struct expression e = parse_expression(p);

		parser_use(p, SCAN_READ, &e);
	} while (parser_take(p, ","));
}

static void read_for(struct parser *p)
{
	int n_locals = p->n_locals, n = 0;
	struct str names[16];

	parser_next(p);
	do {
		if (p->now.kind != TOKEN_NAME || n == 16) {
			parser_lose(p);
			return;
		}
		names[n++] = p->now.text;
		parser_next(p);
	} while (parser_take(p, ","));
	if (!parser_take(p, "="))
		parser_expect(p, "in");
	read_values(p);
	parser_expect(p, "do");
	for (int i = 0; i < n; i++)
		declare_unknown(p, names[i]);
	read_block(p);
	parser_expect(p, "end");
	p->n_locals = n_locals;
}

/* function a.b.c() and function a.b:c() */
static void read_function_statement(struct parser *p)
{
	int line = p->now.line, function;
	struct expression e = {.ref = unknown};
	struct scan_ref self, value = {.kind = SCAN_FUNCTION};
	bool is_method = false;

	parser_next(p);
	if (p->now.kind != TOKEN_NAME)
		parser_lose(p);
	e.place = p->now;
	e.ref = (struct scan_ref){.kind = SCAN_GLOBAL, .name = p->now.text};
	for (int i = 0; i < p->n_locals; i++)
		if (str_eq(p->locals[i].name, p->now.text))
			e.ref = (struct scan_ref){
					.kind = SCAN_VARIABLE, .index = p->locals[i].variable};
	parser_next(p);
	self = e.ref;
	while (!p->is_lost && !is_method && (parser_is(p, ".") || parser_is(p, ":"))) {
		is_method = parser_is(p, ":");
		parser_next(p);
		self = e.ref;
		if (p->now.kind != TOKEN_NAME || e.ref.n_fields == SCAN_FIELDS_MAX)
			parser_lose(p);
		else
			e.ref.fields[e.ref.n_fields++] = p->now.text;
		e.place = p->now;
		parser_next(p);
	}
	function = parse_body(p, is_method ? &self : NULL, line);
	value.index = function;
	if (p->is_lost)
		return;
	(void)parser_note(p, SCAN_WRITE, &e, -1);
	if (e.ref.n_fields > 0)
		(void)scan_add_field(p->scan, self, e.ref.fields[e.ref.n_fields - 1], value);
	else if (e.ref.kind == SCAN_VARIABLE)
		parser_assign(p, e.ref.index, value);
}

static void read_local_function(struct parser *p)
{
	struct scan_ref value = {.kind = SCAN_FUNCTION};
	int line = p->now.line, variable;

	parser_next(p);
	variable = parser_declare(p, p->now.text);
	parser_next(p);
	value.index = parse_body(p, NULL, line);
	if (!p->is_lost)
		parser_assign(p, variable, value);
}

#define NAMES_MAX 64

/* The values of a list of n targets: those behind the last expression are its, if it is a call. */
static void read_list(struct parser *p, struct scan_ref *values, int n)
{
	struct expression e = {.ref = unknown};
	int i = 0;

	for (int k = 0; k < n; k++)
		values[k] = unknown;
	do {
		e = parse_expression(p);
		parser_use(p, SCAN_BIND, &e);
		if (i < n)
			values[i++] = e.ref;
	} while (parser_take(p, ","));
}

static void read_attribute(struct parser *p)
{
	if (parser_take(p, "<")) {
		parser_next(p);
		parser_expect(p, ">");
	}
}

static void read_local(struct parser *p)
{
	struct str names[NAMES_MAX];
	struct scan_ref values[NAMES_MAX];
	bool has_values;
	int n = 0;

	if (parser_is(p, "function")) {
		read_local_function(p);
		return;
	}
	do {
		if (p->now.kind != TOKEN_NAME || n == NAMES_MAX) {
			parser_lose(p);
			return;
		}
		names[n++] = p->now.text;
		parser_next(p);
		read_attribute(p);
	} while (parser_take(p, ","));
	has_values = parser_take(p, "=");
	if (has_values)
		read_list(p, values, n);
	for (int i = 0; i < n; i++) {
		int variable = parser_declare(p, names[i]);

		if (has_values)
			parser_assign(p, variable, values[i]);
	}
}

static void write_to(struct parser *p, const struct expression *e, struct scan_ref value)
{
	struct scan_ref container = e->ref;

	if (e->is_call || e->ref.kind == SCAN_UNKNOWN)
		return;
	(void)parser_note(p, SCAN_WRITE, e, -1);
	if (e->ref.n_fields == 0) {
		if (e->ref.kind == SCAN_VARIABLE)
			parser_assign(p, e->ref.index, value);
		return;
	}
	container.n_fields--;
	if (scan_add_field(p->scan, container, e->ref.fields[container.n_fields], value) < 0)
		parser_lose(p);
}

static void read_expression_statement(struct parser *p)
{
	struct expression targets[NAMES_MAX];
	struct scan_ref values[NAMES_MAX];
	int n = 0;

	do {
		if (n == NAMES_MAX)
			parser_lose(p);
		else
			targets[n++] = parse_suffixed(p);
	} while (!p->is_lost && parser_take(p, ","));
	if (n == 1 && targets[0].is_call)
		return;
	parser_expect(p, "=");
	if (p->is_lost)
		return;
	read_list(p, values, n);
	for (int i = 0; i < n && !p->is_lost; i++)
		write_to(p, &targets[i], values[i]);
}

static void read_return(struct parser *p)
{
	struct expression e;

	parser_next(p);
	if (is_block_end(p) || parser_is(p, ";")) {
		(void)parser_take(p, ";");
		return;
	}
	e = parse_expression(p);
	parser_use(p, SCAN_READ, &e);
	if (p->function == 0)
		p->scan->returned = e.ref;
	if (parser_take(p, ","))
		read_values(p);
	(void)parser_take(p, ";");
}

static void read_label(struct parser *p)
{
	parser_next(p);
	parser_next(p);
	(void)parser_take(p, "::");
}

static void read_do(struct parser *p)
{
	parser_next(p);
	read_block(p);
	parser_expect(p, "end");
}

static void read_local_statement(struct parser *p)
{
	parser_next(p);
	read_local(p);
}

static const struct {
	const char *word;
	void (*read)(struct parser *p);
} statements[] = {
		{"if", read_if},
		{"while", read_while},
		{"do", read_do},
		{"for", read_for},
		{"repeat", read_repeat},
		{"function", read_function_statement},
		{"local", read_local_statement},
		{"return", read_return},
		{"break", parser_next},
		{"::", read_label},
		{";", parser_next},
};

static void read_statement(struct parser *p)
{
	if (parser_is(p, "goto") && p->ahead.kind == TOKEN_NAME) {
		parser_next(p);
		parser_next(p);
		return;
	}
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (parser_is(p, statements[i].word)) {
			statements[i].read(p);
			return;
		}
	read_expression_statement(p);
}

int source_scan(struct scan *s, struct str source)
{
	struct parser *p = calloc(1, sizeof(*p));

	*s = (struct scan){.returned = unknown};
	if (p == NULL || scan_add_function(s, 1) < 0) {
		free(p);
		return -ENOMEM;
	}
	p->scan = s;
	source_lex_init(&p->lex, source);
	p->ahead = source_lex_next(&p->lex);
	parser_next(p);
	read_statements(p);
	s->is_whole = !p->is_lost && p->now.kind == TOKEN_END;
	free(p);
	return 0;
}
