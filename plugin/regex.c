/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/regex.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REGEX_MAGIC SL_MAGIC('R', 'E', 'G', 'X')
#define CACHED_MAX 512
#define BUCKETS 1024
#define STEPS_MAX 200000 /* a few ms at the most */
#define DEPTH_MAX 2000

struct regex {
	uint32_t magic;
	TAILQ_ENTRY(regex) by_use;
	struct regex *next; /* in its bucket */
	uint32_t bucket;
	struct str pattern;
	char options[16];
	pcre2_code *code;
	pcre2_match_data *data;
	unsigned groups;
};

TAILQ_HEAD(regex_list, regex);
static struct regex_list by_use = TAILQ_HEAD_INITIALIZER(by_use);
static struct regex *buckets[BUCKETS];
static size_t cached;
static pcre2_match_context *limits;

static void regex_drop(struct regex *r)
{
	struct regex **at = &buckets[r->bucket];

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	TAILQ_REMOVE(&by_use, r, by_use);
	cached--;
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	free((void *)(uintptr_t)r->pattern.p);
	r->magic = 0;
	free(r);
}

static uint32_t bucket_of(struct str pattern, const char *options)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < pattern.n; i++)
		h = (h ^ (uint8_t)pattern.p[i]) * 16777619U;
	for (; *options != '\0'; options++)
		h = (h ^ (uint8_t)*options) * 16777619U;
	return h % BUCKETS;
}

#define JAVASCRIPT (PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF)

/* j, o: always compiled and cached.  d: the engine it asks for knows no limit of steps, so the
 * other one matches here too. */
static int flags_of(const char *options, uint32_t *ret, struct why *why)
{
	const char *all = options;
	static const struct {
		char letter;
		uint32_t flag;
	} table[] = {{'a', PCRE2_ANCHORED}, {'d', 0}, {'D', PCRE2_DUPNAMES}, {'i', PCRE2_CASELESS},
			{'j', 0}, {'J', JAVASCRIPT}, {'m', PCRE2_MULTILINE},
			{'n', PCRE2_NO_AUTO_CAPTURE}, {'o', 0}, {'s', PCRE2_DOTALL},
			{'u', PCRE2_UTF}, {'U', PCRE2_UTF}, {'x', PCRE2_EXTENDED}};

	*ret = PCRE2_NEVER_BACKSLASH_C;
	for (; *options != '\0'; options++) {
		size_t i = 0, n = sizeof(table) / sizeof(table[0]);

		while (i < n && table[i].letter != *options)
			i++;
		if (i == n) {
			why_set(why, NULL, 0, "unknown flag \"%c\" (flags \"%s\")", *options, all);
			return -ENOTSUP;
		}
		*ret |= table[i].flag;
	}
	return 0;
}

/* As OpenResty words it: where in the pattern, unless it is its end. */
static void tell_compile_error(const struct regex *r, int error, size_t at, struct why *why)
{
	int n = (int)(r->pattern.n < 200 ? r->pattern.n : 200);
	char text[128];

	pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
	if (at >= r->pattern.n || at > 200)
		why_set(why, NULL, 0, "pcre_compile() failed: %s in \"%.*s\"", text, n,
				r->pattern.p);
	else
		why_set(why, NULL, 0, "pcre_compile() failed: %s in \"%.*s\" at \"%.*s\"", text, n,
				r->pattern.p, n - (int)at, r->pattern.p + at);
}

static int regex_compile(struct regex *r, struct why *why)
{
	PCRE2_SIZE at = 0;
	uint32_t flags = 0, groups = 0;
	int error = 0, rc = flags_of(r->options, &flags, why);

	if (rc != 0)
		return rc;
	r->code = pcre2_compile((PCRE2_SPTR)r->pattern.p, r->pattern.n, flags, &error, &at, NULL);
	if (r->code == NULL) {
		tell_compile_error(r, error, at, why);
		return -EINVAL;
	}
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where refused, it interprets */
	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	r->groups = groups;
	r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
	return r->data != NULL ? 0 : -ENOMEM;
}

static int regex_make(struct regex **ret, struct str pattern, const char *options, struct why *why)
{
	struct regex *r = calloc(1, sizeof(*r));
	char *copy = malloc(pattern.n + 1);
	int rc;

	if (r == NULL || copy == NULL) {
		free(r);
		free(copy);
		return -ENOMEM;
	}
	if (pattern.n != 0)
		memcpy(copy, pattern.p, pattern.n);
	copy[pattern.n] = '\0';
	*r = (struct regex){.magic = REGEX_MAGIC,
			.pattern = {copy, pattern.n},
			.bucket = bucket_of(pattern, options)};
	strcpy(r->options, options); /* its length was checked by regex_get */
	rc = regex_compile(r, why);
	r->next = buckets[r->bucket];
	buckets[r->bucket] = r;
	TAILQ_INSERT_HEAD(&by_use, r, by_use);
	cached++;
	if (rc != 0)
		regex_drop(r);
	else
		*ret = r;
	return rc;
}

int regex_get(struct regex **ret, struct str pattern, const char *options, struct why *why)
{
	struct regex *r;

	options = options != NULL ? options : "";
	if (strlen(options) >= sizeof(r->options)) {
		why_set(why, NULL, 0, "too many flags");
		return -ENOTSUP;
	}
	for (r = buckets[bucket_of(pattern, options)]; r != NULL; r = r->next) {
		if (!str_eq(r->pattern, pattern) || strcmp(r->options, options) != 0)
			continue;
		TAILQ_REMOVE(&by_use, r, by_use);
		TAILQ_INSERT_HEAD(&by_use, r, by_use);
		*ret = r;
		return 0;
	}
	if (cached >= CACHED_MAX)
		regex_drop(TAILQ_LAST(&by_use, regex_list));
	return regex_make(ret, pattern, options, why);
}

unsigned regex_groups(const struct regex *r)
{
	return r->groups;
}

bool regex_is_utf(const struct regex *r)
{
	return strpbrk(r->options, "uU") != NULL;
}

bool regex_has_duplicate_names(const struct regex *r)
{
	return strchr(r->options, 'D') != NULL;
}

struct str regex_group_name(const struct regex *r, unsigned i)
{
	uint32_t n = 0, size = 0;
	PCRE2_SPTR table = NULL;

	pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &table);
	for (; n > 0; n--, table += size)
		if ((unsigned)(table[0] << 8 | table[1]) == i)
			return str_of((const char *)table + 2);
	return STR_NONE;
}

static pcre2_match_context *match_limits(void)
{
	if (limits == NULL) {
		limits = pcre2_match_context_create(NULL);
		if (limits != NULL) {
			pcre2_set_match_limit(limits, STEPS_MAX);
			pcre2_set_depth_limit(limits, DEPTH_MAX);
		}
	}
	return limits;
}

int regex_match(struct regex *r, struct str s, size_t from, const size_t **ret_spans,
		struct why *why)
{
	char text[128];
	int rc;

	sl_check(r, REGEX_MAGIC);
	if (from > s.n)
		return 0;
	rc = pcre2_match(r->code, (PCRE2_SPTR)(s.p != NULL ? s.p : ""), s.n, from, 0, r->data,
			match_limits());
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc < 0) {
		pcre2_get_error_message(rc, (PCRE2_UCHAR *)text, sizeof(text));
		why_set(why, NULL, 0, "pcre_exec() failed: %s", text);
		return -EINVAL;
	}
	*ret_spans = pcre2_get_ovector_pointer(r->data);
	return 1;
}
