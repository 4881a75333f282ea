/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/source_scan.h"

#include <stdlib.h>

#define RESOLVE_DEPTH_MAX 16
#define ITEMS_MAX 50000
/* Looked through for each field asked of a local table. */
#define FIELDS_MAX 4000
/* Of all resolving together: a text can be made to take for ever. */
#define STEPS_MAX 100000000L

static bool grow(void **items, size_t *cap, size_t n, size_t size)
{
	size_t wanted = *cap != 0 ? 2 * *cap : 64;
	void *more;

	if (n < *cap)
		return true;
	more = n < ITEMS_MAX ? reallocarray(*items, wanted, size) : NULL;
	if (more == NULL)
		return false;
	*items = more;
	*cap = wanted;
	return true;
}

int scan_add_use(struct scan *s, const struct scan_use *use)
{
	struct scan_function *f = &s->functions[use->function];
	int index = (int)s->n_uses;

	if (!grow((void **)&s->uses, &s->cap_uses, s->n_uses, sizeof(*s->uses)))
		return -1;
	s->uses[s->n_uses] = *use;
	s->uses[s->n_uses++].next = -1;
	if (f->last_use >= 0)
		s->uses[f->last_use].next = index;
	else
		f->first_use = index;
	f->last_use = index;
	return index;
}

int scan_add_variable(struct scan *s)
{
	if (!grow((void **)&s->variables, &s->cap_variables, s->n_variables, sizeof(*s->variables)))
		return -1;
	s->variables[s->n_variables] = (struct scan_variable){.n_assigned = 0};
	return (int)s->n_variables++;
}

int scan_add_function(struct scan *s, int line)
{
	if (!grow((void **)&s->functions, &s->cap_functions, s->n_functions, sizeof(*s->functions)))
		return -1;
	s->functions[s->n_functions] = (struct scan_function){line, -1, -1};
	return (int)s->n_functions++;
}

int scan_add_field(
		struct scan *s, struct scan_ref container, struct str name, struct scan_ref value)
{
	if (s->n_fields >= FIELDS_MAX ||
			!grow((void **)&s->fields, &s->cap_fields, s->n_fields, sizeof(*s->fields)))
		return -1;
	s->fields[s->n_fields] = (struct scan_field){container, value, name};
	return (int)s->n_fields++;
}

void scan_done(struct scan *s)
{
	free(s->uses);
	free(s->variables);
	free(s->fields);
	free(s->functions);
	*s = (struct scan){.uses = NULL};
}

static struct scan_ref resolve(struct scan *s, struct scan_ref ref, int depth);

/* value, and the fields of ref from `from` on asked of it. */
static struct scan_ref with_fields(struct scan_ref value, const struct scan_ref *ref, int from)
{
	for (int i = from; i < ref->n_fields; i++) {
		if (value.n_fields == SCAN_FIELDS_MAX)
			return (struct scan_ref){.kind = SCAN_UNKNOWN};
		value.fields[value.n_fields++] = ref->fields[i];
	}
	return value;
}

static bool is_same(const struct scan_ref *a, const struct scan_ref *b)
{
	return a->kind == b->kind && a->index == b->index && a->n_fields == 0 && b->n_fields == 0;
}

/* What was assigned to owner[name], if it was once. */
static bool find_field(struct scan *s, const struct scan_ref *owner, struct str name, int depth,
		struct scan_ref *ret)
{
	int n = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct scan_field *f = &s->fields[i];
		struct scan_ref container;

		s->n_steps++;
		if (!str_eq(f->name, name))
			continue;
		container = resolve(s, f->container, depth + 1);
		if (is_same(&container, owner)) {
			*ret = f->value;
			n++;
		}
	}
	return n == 1;
}

static struct scan_ref resolve(struct scan *s, struct scan_ref ref, int depth)
{
	static const struct scan_ref unknown = {.kind = SCAN_UNKNOWN};
	struct scan_ref value, owner = {.kind = ref.kind, .index = ref.index};

	if (depth > RESOLVE_DEPTH_MAX || s->n_steps++ > STEPS_MAX)
		return unknown;
	if (ref.kind == SCAN_VARIABLE) {
		const struct scan_variable *v = &s->variables[ref.index];

		value = v->n_assigned == 1 ? resolve(s, v->value, depth + 1) : unknown;
		if (value.kind != SCAN_UNKNOWN)
			return value.kind == SCAN_VARIABLE && ref.n_fields == 0
					       ? value
					       : resolve(s, with_fields(value, &ref, 0), depth + 1);
		/* Assigned more often, it may be any of several things. */
		if (v->n_assigned != 1)
			return unknown;
	}
	if (ref.n_fields == 0 || ref.kind == SCAN_GLOBAL)
		return ref;
	if ((ref.kind != SCAN_TABLE && ref.kind != SCAN_VARIABLE) ||
			!find_field(s, &owner, ref.fields[0], depth, &value))
		return unknown;
	return resolve(s, with_fields(value, &ref, 1), depth + 1);
}

struct scan_ref scan_resolve(struct scan *s, struct scan_ref ref)
{
	return resolve(s, ref, 0);
}
