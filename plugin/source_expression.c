/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions of a Lua source (plugin/source_scan.h).
 */
#include "plugin/source_parse.h"

static const struct scan_ref unknown = {.kind = SCAN_UNKNOWN};

void parser_use(struct parser *p, enum scan_use_kind kind, const struct expression *e)
{
	if (!e->is_call)
		(void)parser_note(p, kind, e, -1);
}

static struct expression nothing(const struct parser *p)
{
	return (struct expression){.ref = unknown, .place = p->now};
}

static struct expression name_of(struct parser *p)
{
	struct expression e = nothing(p);

	e.ref = (struct scan_ref){.kind = SCAN_GLOBAL, .name = p->now.text};
	for (int i = p->n_locals - 1; i >= 0; i--)
		if (str_eq(p->locals[i].name, p->now.text)) {
			e.ref = (struct scan_ref){
					.kind = SCAN_VARIABLE, .index = p->locals[i].variable};
			break;
		}
	parser_next(p);
	return e;
}

static void add_field(struct expression *e, struct token name)
{
	e->place = name;
	if (e->ref.kind == SCAN_UNKNOWN)
		return;
	if (e->ref.n_fields == SCAN_FIELDS_MAX)
		e->ref = unknown;
	else
		e->ref.fields[e->ref.n_fields++] = name.text;
}

/* ---- tables and functions ---- */

static void bind_field(struct parser *p, struct scan_ref table, struct str name)
{
	struct expression value = parse_expression(p);

	parser_use(p, SCAN_BIND, &value);
	if (name.p != NULL && scan_add_field(p->scan, table, name, value.ref) < 0)
		parser_lose(p);
}

static void read_item(struct parser *p, struct scan_ref table)
{
	struct str name = STR_NONE;

	if (p->now.kind == TOKEN_NAME && p->ahead.kind == TOKEN_SYMBOL &&
			str_eq(p->ahead.text, STR("="))) {
		name = p->now.text;
		parser_next(p);
		parser_next(p);
	} else if (parser_take(p, "[")) {
		struct expression key = parse_expression(p);

		parser_use(p, SCAN_READ, &key);
		if (key.ref.kind == SCAN_STRING && key.ref.n_fields == 0)
			name = key.ref.name;
		parser_expect(p, "]");
		parser_expect(p, "=");
	}
	bind_field(p, table, name);
}

static struct expression read_table(struct parser *p)
{
	struct expression e = nothing(p);

	e.ref = (struct scan_ref){.kind = SCAN_TABLE, .index = (int)p->scan->n_tables++};
	parser_expect(p, "{");
	while (!p->is_lost && !parser_is(p, "}")) {
		read_item(p, e.ref);
		if (!parser_take(p, ",") && !parser_take(p, ";"))
			break;
	}
	parser_expect(p, "}");
	return e;
}

static struct expression read_function(struct parser *p)
{
	struct expression e = nothing(p);

	parser_next(p);
	e.ref = (struct scan_ref){
			.kind = SCAN_FUNCTION, .index = parse_body(p, NULL, e.place.line)};
	if (e.ref.index < 0)
		e.ref = unknown;
	return e;
}

/* ---- calls ---- */

static void read_arguments(struct parser *p, int call, struct scan_ref *ret_first)
{
	struct expression e;
	bool is_first = true;

	parser_expect(p, "(");
	while (!p->is_lost && !parser_is(p, ")")) {
		e = parse_expression(p);
		if (!e.is_call)
			(void)parser_note(p, SCAN_PASS, &e, call);
		if (is_first)
			*ret_first = e.ref;
		is_first = false;
		if (!parser_take(p, ","))
			break;
	}
	parser_expect(p, ")");
}

/* setmetatable(t, …) is t. */
static struct scan_ref value_of_call(const struct expression *callee, struct scan_ref first)
{
	const struct scan_ref *f = &callee->ref;

	if (f->kind == SCAN_GLOBAL && f->n_fields == 0 && str_eq(f->name, STR("setmetatable")))
		return first;
	return unknown;
}

static struct expression read_call(struct parser *p, struct expression callee, bool is_method)
{
	struct expression e = {.ref = unknown, .is_call = true, .is_list = true};
	struct scan_ref first = unknown;
	int call = parser_note(p, SCAN_CALL, &callee, -1);

	e.place = callee.place;
	if (call >= 0)
		p->scan->uses[call].is_method = is_method;
	if (p->now.kind == TOKEN_STRING) {
		first = (struct scan_ref){.kind = SCAN_STRING, .name = p->now.text};
		parser_next(p);
	} else if (parser_is(p, "{")) {
		first = read_table(p).ref;
	} else {
		read_arguments(p, call, &first);
	}
	if (call >= 0 && first.kind == SCAN_STRING && first.n_fields == 0)
		p->scan->uses[call].first_text = first.name;
	if (!is_method)
		e.ref = value_of_call(&callee, first);
	return e;
}

static bool is_call_ahead(const struct parser *p)
{
	return p->now.kind == TOKEN_STRING || parser_is(p, "(") || parser_is(p, "{");
}

/* ---- suffixes ---- */

static void read_index(struct parser *p, struct expression *e)
{
	struct token place = p->now;
	struct expression key;

	parser_expect(p, "[");
	key = parse_expression(p);
	parser_expect(p, "]");
	if (key.ref.kind == SCAN_STRING && key.ref.n_fields == 0) {
		place.text = key.ref.name;
		add_field(e, place);
		e->is_call = e->is_list = false;
		return;
	}
	parser_use(p, SCAN_READ, &key);
	parser_use(p, SCAN_INDEX, e);
	*e = (struct expression){.ref = unknown, .place = place};
}

static void read_member(struct parser *p, struct expression *e)
{
	parser_next(p);
	if (p->now.kind != TOKEN_NAME)
		parser_lose(p);
	add_field(e, p->now);
	e->is_call = e->is_list = false;
	parser_next(p);
}

static struct expression read_primary(struct parser *p)
{
	struct expression e;

	if (p->now.kind == TOKEN_NAME)
		return name_of(p);
	if (!parser_is(p, "(") || p->now.kind != TOKEN_SYMBOL) {
		parser_lose(p);
		return nothing(p);
	}
	parser_next(p);
	e = parse_expression(p);
	parser_expect(p, ")");
	e.is_list = false;
	return e;
}

struct expression parse_suffixed(struct parser *p)
{
	struct expression e = read_primary(p);

	while (!p->is_lost) {
		if (p->now.kind == TOKEN_SYMBOL && parser_is(p, ".")) {
			read_member(p, &e);
		} else if (p->now.kind == TOKEN_SYMBOL && parser_is(p, "[")) {
			read_index(p, &e);
		} else if (p->now.kind == TOKEN_SYMBOL && parser_is(p, ":")) {
			read_member(p, &e);
			if (!is_call_ahead(p))
				parser_lose(p);
			e = read_call(p, e, true);
		} else if (is_call_ahead(p)) {
			e = read_call(p, e, false);
		} else {
			break;
		}
	}
	return e;
}

/* ---- operators ---- */

static bool is_binary(const struct parser *p)
{
	static const char *const operators[] = {"+", "-", "*", "/", "%", "^", "..", "==", "~=", "<",
			"<=", ">", ">=", "and", "or"};

	if (p->now.kind != TOKEN_SYMBOL && p->now.kind != TOKEN_KEYWORD)
		return false;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (parser_is(p, operators[i]))
			return true;
	return false;
}

/* Whether a thing is there is asked by these; others want its value. */
static bool is_test(const struct parser *p)
{
	return parser_is(p, "and") || parser_is(p, "or") || parser_is(p, "==") ||
	       parser_is(p, "~=");
}

static struct expression read_simple(struct parser *p)
{
	struct expression e = nothing(p);

	if (p->now.kind == TOKEN_STRING) {
		e.ref = (struct scan_ref){.kind = SCAN_STRING, .name = p->now.text};
		parser_next(p);
		return e;
	}
	if (p->now.kind == TOKEN_KEYWORD && parser_is(p, "function"))
		return read_function(p);
	if (p->now.kind == TOKEN_SYMBOL && parser_is(p, "{"))
		return read_table(p);
	if (p->now.kind == TOKEN_NUMBER || parser_is(p, "nil") || parser_is(p, "true") ||
			parser_is(p, "false") || parser_is(p, "...")) {
		e.is_list = parser_is(p, "...");
		parser_next(p);
		return e;
	}
	return parse_suffixed(p);
}

static struct expression read_unary(struct parser *p)
{
	bool is_not = p->now.kind == TOKEN_KEYWORD && parser_is(p, "not");
	bool is_unary = is_not ||
			(p->now.kind == TOKEN_SYMBOL && (parser_is(p, "-") || parser_is(p, "#")));
	struct expression e;

	if (!is_unary || p->is_lost)
		return read_simple(p);
	if (++p->depth > PARSE_DEPTH_MAX)
		parser_lose(p);
	parser_next(p);
	e = read_unary(p);
	p->depth--;
	parser_use(p, is_not ? SCAN_TEST : SCAN_READ, &e);
	return nothing(p);
}

/* Precedence does not matter to what is asked. */
struct expression parse_expression(struct parser *p)
{
	struct expression e;
	bool is_tested = false;

	if (++p->depth > PARSE_DEPTH_MAX)
		parser_lose(p);
	e = read_unary(p);
	while (!p->is_lost && is_binary(p)) {
		bool is_asked = is_test(p);

		parser_use(p, is_asked || is_tested ? SCAN_TEST : SCAN_READ, &e);
		is_tested = is_asked;
		parser_next(p);
		e = read_unary(p);
		if (!is_binary(p)) {
			parser_use(p, is_tested ? SCAN_TEST : SCAN_READ, &e);
			e = nothing(p);
		}
	}
	p->depth--;
	return e;
}
