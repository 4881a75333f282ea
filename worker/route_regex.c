/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route_part.h"

#include <jansson.h>

/* A hostile path must not buy more than this. */
#define MATCH_LIMIT 20000
#define DEPTH_LIMIT 1000

static pcre2_match_context *limits;
static pcre2_match_data *scratch;

static bool process_is_ready(void)
{
	if (scratch != NULL)
		return true;
	limits = pcre2_match_context_create(NULL);
	scratch = pcre2_match_data_create(64, NULL);
	if (limits == NULL || scratch == NULL)
		return false;
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	pcre2_set_depth_limit(limits, DEPTH_LIMIT);
	return true;
}

static struct route_regex *regex_new(struct str text, bool is_path)
{
	uint32_t options = is_path ? PCRE2_ANCHORED : PCRE2_CASELESS;
	struct route_regex *re = calloc(1, sizeof(*re));
	size_t at;
	int error;

	if (re == NULL || !process_is_ready())
		goto fail;
	re->text = strndup(text.p, text.n);
	if (re->text == NULL)
		goto fail;
	re->code = pcre2_compile((PCRE2_SPTR)re->text, text.n, options, &error, &at, NULL);
	if (re->code != NULL)
		pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
	return re;
fail:
	free(re);
	return NULL;
}

struct route_regex *route_regex_get(struct route *r, struct str text, bool is_path)
{
	struct route_regex *re = r->regexes;

	while (re != NULL && !str_eq(str_of(re->text), text))
		re = re->next;
	if (re != NULL)
		return re;
	re = regex_new(text, is_path);
	if (re == NULL)
		return NULL;
	re->next = r->regexes;
	r->regexes = re;
	return re;
}

void route_regex_free(struct route_regex *list)
{
	while (list != NULL) {
		struct route_regex *next = list->next;

		pcre2_code_free(list->code);
		free(list->text);
		free(list);
		list = next;
	}
}

/* The number of pairs in scratch, or <= 0. */
static int run(const struct route_regex *re, struct str subject)
{
	if (re->code == NULL || !process_is_ready())
		return -1;
	return pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, scratch, limits);
}

ptrdiff_t route_regex_match(const struct route_regex *re, struct str subject)
{
	if (run(re, subject) < 0)
		return -1;
	return (ptrdiff_t)pcre2_get_ovector_pointer(scratch)[1];
}

static json_t *capture_json(struct str subject, int n_pairs, uint32_t i)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(scratch);
	json_t *s;

	if ((int)i >= n_pairs || at[2 * i] == PCRE2_UNSET || at[2 * i + 1] < at[2 * i])
		return json_null();
	s = json_stringn(subject.p + at[2 * i], at[2 * i + 1] - at[2 * i]);
	return s != NULL ? s : json_null();
}

static json_t *named_json(const struct route_regex *re, struct str subject, int n_pairs)
{
	uint32_t n = 0, size = 0;
	const uint8_t *table = NULL;
	json_t *named = json_object();

	pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32_t i = 0; i < n; i++, table += size) {
		uint32_t group = (uint32_t)table[0] << 8 | table[1];

		json_object_set_new(named, (const char *)table + 2,
				capture_json(subject, n_pairs, group));
	}
	return named;
}

struct str route_regex_captures(const struct route_regex *re, struct str subject, struct arena *a)
{
	int n_pairs = run(re, subject);
	uint32_t n_groups = 0;
	struct str ret = STR_NONE;
	json_t *unnamed, *all;
	char *text;

	if (n_pairs <= 0)
		return ret;
	pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &n_groups);
	unnamed = json_array();
	for (uint32_t i = 0; i <= n_groups; i++)
		json_array_append_new(unnamed, capture_json(subject, n_pairs, i));
	all = json_pack("{s:o, s:o}", "unnamed", unnamed, "named",
			named_json(re, subject, n_pairs));
	text = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
	if (text != NULL)
		ret = arena_str(a, str_of(text));
	free(text);
	json_decref(all);
	return ret;
}
