/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of fields and variables, calls, and what stands behind a value with '.' or '['.
 */
#include <errno.h>
#include <stdio.h>

#include "plugin/condition_parser.h"

static int find_method(struct str name, enum node_op *ret, bool *ret_is_macro)
{
	static const struct {
		enum node_op op;
		const char *name;
		bool is_macro;
	} methods[] = {
#define X(id, text, is_macro) {NODE_##id, text, is_macro},
			NODE_METHOD_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!str_eq(name, str_of(methods[i].name)))
			continue;
		*ret = methods[i].op;
		*ret_is_macro = methods[i].is_macro;
		return 0;
	}
	return -ENOENT;
}

static int fail_function(struct parser *p, struct str name, uint32_t column)
{
	return condition_fail(p->why, column,
			"Undeclared reference to '%.*s' at column %u: there are contains(), "
			"startsWith(), endsWith(), matches(), size(), has(), all(), exists(), "
			"map(), filter() and, around a whole condition, default()",
			STR_ARG(name), column);
}

/* The literal behind matches(. */
static int take_pattern(struct parser *p, struct node *node)
{
	const struct node *arg = &p->c->nodes[node->right];

	if (arg->op != NODE_LITERAL || arg->value.kind != CEL_STRING)
		return condition_fail(p->why, arg->column,
				"the pattern of matches() must be a string literal");
	return condition_regex_add(
			&p->c->regexes, arg->value.text, arg->column, &node->regex, p->why);
}

/* "arg)" behind "receiver.name(". */
static int parse_method(struct parser *p, struct node *node)
{
	uint16_t arg;
	int r = condition_check_subject(p, &p->c->nodes[node->left], KIND(STRING), "the method",
			"a string before it");

	if (r == 0)
		r = condition_parse_expression(p, &arg);
	if (r < 0)
		return r;
	node->right = arg;
	node->kinds = KIND(BOOL);
	if (node->op == NODE_MATCHES)
		r = take_pattern(p, node);
	else
		r = condition_check_subject(p, &p->c->nodes[arg], KIND(STRING), "the method",
				"a string as its argument");
	return r == 0 ? condition_expect(p, ")") : r;
}

/* A variable whose items are what the list may hold. */
static int push_variable(struct parser *p, const struct node *range)
{
	if (p->token.kind != TOKEN_NAME)
		return condition_fail(p->why, p->token.column,
				"a macro begins with the name of its variable, at column %u",
				p->token.column);
	if (condition_at_word(p, "true") || condition_at_word(p, "false") ||
			condition_at_word(p, "null") || condition_at_word(p, "in"))
		return condition_fail(p->why, p->token.column,
				"'%.*s' cannot be the name of a variable", STR_ARG(p->token.text));
	if (p->n_variables == CEL_VARIABLES_MAX)
		return condition_fail(p->why, p->token.column,
				"more than %d macros inside each other", CEL_VARIABLES_MAX);
	p->variables[p->n_variables] = p->token.text;
	p->variable_kinds[p->n_variables] = range->items;
	/* A map yields its keys, and what is not known yields either. */
	if ((range->kinds & KIND(MAP)) != 0)
		p->variable_kinds[p->n_variables] |= KIND(STRING) | KIND(INT) | KIND(BOOL);
	if (p->variable_kinds[p->n_variables] == 0) /* of []: its body never runs */
		p->variable_kinds[p->n_variables] = KIND_ANY;
	p->n_variables++;
	return condition_advance(p);
}

/* "x, expression)" behind "range.name(". */
static int parse_macro(struct parser *p, struct node *node)
{
	uint16_t body;
	int r = condition_check_subject(p, &p->c->nodes[node->left], KIND(LIST) | KIND(MAP),
			"the macro", "a list or a map before it");

	node->slot = (uint8_t)p->n_variables;
	if (r == 0)
		r = push_variable(p, &p->c->nodes[node->left]);
	if (r == 0)
		r = condition_expect(p, ",");
	if (r == 0)
		r = condition_parse_expression(p, &body);
	if (r == 0 && node->op != NODE_MAP_EACH)
		r = condition_check_boolean(p, body);
	if (r < 0)
		return r;
	p->n_variables--;
	node->right = body;
	node->kinds = node->op == NODE_MAP_EACH || node->op == NODE_FILTER ? KIND(LIST)
									   : KIND(BOOL);
	node->items = node->op == NODE_FILTER ? p->variable_kinds[p->n_variables]
					      : p->c->nodes[body].kinds;
	return condition_expect(p, ")");
}

static const cel_kinds sized = KIND(STRING) | KIND(LIST) | KIND(MAP);

static int finish_size(struct parser *p, struct node *node)
{
	int r = condition_check_subject(
			p, &p->c->nodes[node->left], sized, "size()", "a string, a list or a map");

	node->kinds = KIND(INT);
	return r == 0 ? condition_expect(p, ")") : r;
}

/* Behind "receiver.name", at "(". */
static int parse_call(struct parser *p, const struct token *name, uint16_t *receiver)
{
	enum node_op op;
	bool is_macro;
	struct node *node;
	uint16_t at;
	int r;

	if (find_method(name->text, &op, &is_macro) < 0)
		return fail_function(p, name->text, name->column);
	at = condition_add(p, op, name->column);
	node = &p->c->nodes[at];
	node->left = *receiver;
	*receiver = at;
	r = condition_advance(p);
	if (r < 0)
		return r;
	if (is_macro)
		return parse_macro(p, node);
	return op == NODE_SIZE ? finish_size(p, node) : parse_method(p, node);
}

static int parse_select(struct parser *p, const struct token *name, uint16_t *of)
{
	uint16_t at;
	int r = condition_check_subject(p, &p->c->nodes[*of], KIND(MAP), "a member", "a map");

	if (r < 0)
		return condition_fail(p->why, name->column,
				"Undeclared reference to '%.*s' at column %u: only a map has "
				"members",
				STR_ARG(name->text), name->column);
	at = condition_add(p, NODE_SELECT, name->column);
	p->c->nodes[at].left = *of;
	p->c->nodes[at].text = name->text;
	*of = at;
	return 0;
}

static int parse_index(struct parser *p, uint16_t *of)
{
	uint16_t at = condition_add(p, NODE_INDEX, p->token.column), index;
	struct node *node = &p->c->nodes[at];
	const struct node *subject = &p->c->nodes[*of], *key;
	int r = condition_check_subject(
			p, subject, KIND(LIST) | KIND(MAP), "[]", "a list or a map before it");

	if (r == 0)
		r = condition_advance(p);
	if (r == 0)
		r = condition_parse_expression(p, &index);
	if (r < 0)
		return r;
	key = &p->c->nodes[index];
	if ((subject->kinds & KIND(MAP)) == 0) {
		r = condition_check_subject(p, key, KIND(INT), "a list's []", "a number");
		node->kinds = subject->items;
	} else {
		r = condition_check_subject(p, key, KIND(INT) | KIND(STRING) | KIND(BOOL), "[]",
				"a string, a number or a boolean");
	}
	node->left = *of;
	node->right = index;
	*of = at;
	return r == 0 ? condition_expect(p, "]") : r;
}

int condition_parse_members(struct parser *p, uint16_t *at)
{
	int r = 0;

	while (r == 0) {
		struct token name;

		if (condition_at_op(p, "[")) {
			r = parse_index(p, at);
			continue;
		}
		if (!condition_at_op(p, "."))
			return 0;
		r = condition_advance(p);
		name = p->token;
		if (r == 0 && name.kind != TOKEN_NAME)
			return condition_fail(p->why, name.column,
					"expected a name behind '.' at column %u", name.column);
		if (r == 0)
			r = condition_advance(p);
		if (r < 0)
			return r;
		r = condition_at_op(p, "(") ? parse_call(p, &name, at) : parse_select(p, &name, at);
	}
	return r;
}

/* size(x), has(x.y): behind the name, at "(". */
static int parse_function(struct parser *p, const struct token *name, uint16_t *ret)
{
	bool is_size = str_eq(name->text, STR("size")), is_has = str_eq(name->text, STR("has"));
	struct node *node;
	uint16_t arg;
	int r;

	if (str_eq(name->text, STR("default")))
		return condition_fail(p->why, name->column,
				"default() at column %u must hold the whole condition",
				name->column);
	if (!is_size && !is_has)
		return fail_function(p, name->text, name->column);
	*ret = condition_add(p, is_size ? NODE_SIZE : NODE_HAS, name->column);
	node = &p->c->nodes[*ret];
	r = condition_advance(p);
	if (r == 0)
		r = condition_parse_expression(p, &arg);
	if (r < 0)
		return r;
	node->left = arg;
	if (is_size)
		return finish_size(p, node);
	node->kinds = KIND(BOOL);
	if (p->c->nodes[arg].op != NODE_FIELD && p->c->nodes[arg].op != NODE_SELECT)
		return condition_fail(p->why, p->c->nodes[arg].column,
				"has() needs a field or a member of a map, like "
				"has(kong.ctx.shared.x)");
	return condition_expect(p, ")");
}

static int fail_field(struct parser *p, const struct str *names, size_t n, uint32_t column)
{
	char name[128];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		int more = snprintf(name + used, sizeof(name) - used, "%s%.*s", i > 0 ? "." : "",
				(int)(names[i].n < 64 ? names[i].n : 64), names[i].p);

		if (more > 0 && (size_t)more < sizeof(name) - used)
			used += (size_t)more;
	}
	return condition_fail(p->why, column,
			"Undeclared reference to '%s' at column %u: fields are %s", name, column,
			condition_field_names());
}

/* The next part of a field's name: .name or ["name"]. */
static int parse_part(struct parser *p, struct str *ret)
{
	bool is_index = condition_at_op(p, "[");
	int r = condition_advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != (is_index ? TOKEN_STRING : TOKEN_NAME) || p->token.text.n == 0)
		return condition_fail(p->why, p->token.column, "expected a %s at column %u",
				is_index ? "string" : "name behind '.'", p->token.column);
	*ret = p->token.text;
	r = condition_advance(p);
	return r == 0 && is_index ? condition_expect(p, "]") : r;
}

static int check_lower(struct parser *p, struct str name, uint32_t column)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '-' && name.p[i] == ascii_lower(name.p[i]))
			continue;
		return condition_fail(p->why, column,
				"the header at column %u is never there: names are written in "
				"lower case with '_' for '-'",
				column);
	}
	return 0;
}

static int parse_field(struct parser *p, const struct token *first, uint16_t *ret)
{
	struct str names[FIELD_NAMES_MAX] = {first->text};
	const struct condition_field *field = NULL;
	struct str part = STR_NONE;
	struct node *node;
	size_t n = 1;
	int r = 0;
	enum field_match match;

	while ((match = condition_field_find(names, n, &field, &part)) == FIELD_PREFIX &&
			n < FIELD_NAMES_MAX &&
			(condition_at_op(p, ".") || condition_at_op(p, "["))) {
		r = parse_part(p, &names[n++]);
		if (r < 0)
			return r;
	}
	if (match != FIELD_WHOLE)
		return fail_field(p, names, n, first->column);
	if (condition_field_is_lower(field))
		r = check_lower(p, part, first->column);
	*ret = condition_add(p, NODE_FIELD, first->column);
	node = &p->c->nodes[*ret];
	node->field = field;
	node->text = part;
	node->kinds = condition_field_kinds(field);
	node->items = (node->kinds & KIND(LIST)) != 0 ? KIND(STRING) | KIND(NULL) : KIND_ANY;
	return r;
}

int condition_parse_name(struct parser *p, uint16_t *ret)
{
	struct token name = p->token;
	int r = condition_advance(p);

	if (r < 0)
		return r;
	if (condition_at_op(p, "("))
		return parse_function(p, &name, ret);
	for (uint32_t i = p->n_variables; i > 0; i--) {
		if (!str_eq(p->variables[i - 1], name.text))
			continue;
		*ret = condition_add(p, NODE_VARIABLE, name.column);
		p->c->nodes[*ret].slot = (uint8_t)(i - 1);
		p->c->nodes[*ret].kinds = p->variable_kinds[i - 1];
		return 0;
	}
	return parse_field(p, &name, ret);
}
