/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of matches(): the syntax that RE2 and Rust's regex share, run by PCRE2 with a
 * step limit.  Text that is not UTF-8 is matched around what is not.
 */
#include <errno.h>
#include <stdlib.h>

#include "plugin/condition_part.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define DEPTH_MAX 2000
#define HEAP_KIB_MAX 1024

struct condition_regex {
	struct condition_regex *next;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

/* clang-format off */
/* X(spelling, what it is); a longer one before its own beginning */
#define REFUSED_GROUP_TABLE(X) \
	X("(?=",  "look-ahead") \
	X("(?!",  "negative look-ahead") \
	X("(?<=", "look-behind") \
	X("(?<!", "negative look-behind") \
	X("(?>",  "an atomic group") \
	X("(?|",  "a branch reset") \
	X("(?(",  "a conditional group") \
	X("(?R",  "recursion") \
	X("(?&",  "recursion") \
	X("(?P>", "recursion") \
	X("(?P=", "a back-reference") \
	X("(?#",  "a comment") \
	X("(?'",  "a group named in quotes") \
	X("(?C",  "a callout") \
	X("(?+",  "recursion") \
	X("(*",   "a verb")
/* clang-format on */

/* Behind a backslash: what neither RE2 nor Rust's regex has. */
static const char refused_escapes[] = "123456789kgKGCRXZEQNhHvVoc";

/* The bytes of what is refused at `at`, 0 = nothing. */
static size_t refused_group(struct str s, size_t at, const char **ret)
{
	static const struct {
		const char *text, *what;
	} groups[] = {
#define X(text, what) {text, what},
			REFUSED_GROUP_TABLE(X)
#undef X
	};
	struct str rest = str_from(s, at);

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct str text = str_of(groups[i].text);

		if (!str_starts(rest, text))
			continue;
		*ret = groups[i].what;
		return text.n;
	}
	/* (?0) … (?9), (?-1): recursion; (?-i) is a flag. */
	if (str_starts(rest, STR("(?")) && rest.n > 2) {
		size_t digit = rest.p[2] == '-' ? 3 : 2;

		*ret = "recursion";
		if (digit < rest.n && rest.p[digit] >= '0' && rest.p[digit] <= '9')
			return digit + 1;
	}
	return 0;
}

/* Behind the class that begins at `at`. */
static size_t skip_class(struct str s, size_t at)
{
	at++;
	if (at < s.n && s.p[at] == '^')
		at++;
	if (at < s.n && s.p[at] == ']')
		at++;
	while (at < s.n && s.p[at] != ']') {
		bool is_named = str_starts(str_from(s, at), STR("[:"));
		ptrdiff_t end = is_named ? str_find(str_from(s, at), STR(":]")) : -1;

		if (end >= 0)
			at += (size_t)end + 2;
		else
			at += s.p[at] == '\\' ? 2 : 1;
	}
	return at + 1;
}

static bool is_repeat(char c)
{
	return c == '*' || c == '+' || c == '?' || c == '}';
}

static int refuse(struct why *why, uint32_t column, struct str what, const char *name, size_t at)
{
	return condition_fail(why, column,
			"the pattern has '%.*s' at its byte %zu: %s is not part of the pattern "
			"language",
			STR_ARG(what), at + 1, name);
}

static int check_pattern(struct str s, uint32_t column, struct why *why)
{
	size_t at = 0;

	while (at < s.n) {
		const char *what = NULL;
		size_t n = s.p[at] == '(' ? refused_group(s, at, &what) : 0;

		if (n > 0)
			return refuse(why, column, str_head(str_from(s, at), n), what, at);
		if (s.p[at] == '[') {
			at = skip_class(s, at);
			continue;
		}
		if (s.p[at] == '\\') {
			if (at + 1 < s.n && s.p[at + 1] != '\0' &&
					strchr(refused_escapes, s.p[at + 1]) != NULL)
				return refuse(why, column, str_head(str_from(s, at), 2),
						"this escape", at);
			at += 2;
			continue;
		}
		if (s.p[at] == '+' && at > 0 && is_repeat(s.p[at - 1]) &&
				(at < 2 || s.p[at - 2] != '\\'))
			return refuse(why, column, STR("+"), "a possessive repeat", at);
		at++;
	}
	return 0;
}

static int compile(struct condition_regex *r, struct str pattern, uint32_t column, struct why *why)
{
	uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NO_AUTO_CAPTURE |
			 PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	char text[128];
	PCRE2_SIZE at = 0;
	int error = 0;

	r->code = pcre2_compile((PCRE2_SPTR)(pattern.p != NULL ? pattern.p : ""), pattern.n, flags,
			&error, &at, NULL);
	if (r->code == NULL) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
		return condition_fail(why, column, "not a pattern: %s, at its byte %zu", text,
				(size_t)at + 1);
	}
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where refused, it interprets */
	r->data = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (r->data == NULL || r->limits == NULL)
		return -ENOMEM;
	pcre2_set_depth_limit(r->limits, DEPTH_MAX);
	pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX);
	return 0;
}

int condition_regex_add(struct condition_regex **list, struct str pattern, uint32_t column,
		struct condition_regex **ret, struct why *why)
{
	struct condition_regex *r;
	int error = check_pattern(pattern, column, why);

	if (error < 0)
		return error;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->next = *list;
	*list = r;
	*ret = r;
	return compile(r, pattern, column, why);
}

void condition_regex_free(struct condition_regex *list)
{
	while (list != NULL) {
		struct condition_regex *next = list->next;

		pcre2_match_context_free(list->limits);
		pcre2_match_data_free(list->data);
		pcre2_code_free(list->code);
		free(list);
		list = next;
	}
}

int condition_regex_match(struct condition_regex *r, struct str s, uint32_t steps_max)
{
	PCRE2_SPTR text = (PCRE2_SPTR)(s.p != NULL ? s.p : "");
	int rc;

	pcre2_set_match_limit(r->limits, steps_max);
	rc = pcre2_match(r->code, text, s.n, 0, 0, r->data, r->limits);
	/* The interpreter keeps its places on the heap, within its own limit. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(r->code, text, s.n, 0, PCRE2_NO_JIT, r->data, r->limits);
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return rc >= 0 ? 1 : -E2BIG;
}
