/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pattern.h"

#include "plugin/pattern_class.h"

#define ESCAPE '%'
#define STEPS_MIN 200000U
#define STEPS_PER_BYTE 10U
#define STOP_POLL_STEPS 1024U
#define OPEN SIZE_MAX /* capture[].n of a capture that is not closed yet */

static const char E_ENDS_ESCAPE[] = "malformed pattern (ends with '%')";
static const char E_MISSING_BRACKET[] = "malformed pattern (missing ']')";
static const char E_FRONTIER[] = "missing '[' after '%f' in pattern";
static const char E_BALANCE[] = "unbalanced pattern";
static const char E_CAPTURE_INDEX[] = "invalid capture index";
static const char E_PATTERN_CAPTURE[] = "invalid pattern capture";
static const char E_TOO_MANY[] = "too many captures";
static const char E_UNFINISHED[] = "unfinished capture";
static const char E_COMPLEX[] = "pattern too complex";
static const char E_STOPPED[] = "stopped";

/* Positions in subject and text are offsets; FAIL = no match. */
#define FAIL SIZE_MAX

static size_t match_here(struct pattern *p, size_t s, size_t t);

/* As in Lua 5.1 a NUL ends the pattern, so "past the end" and NUL are the same. */
static unsigned char text_at(const struct pattern *p, size_t t)
{
	return t < p->text.n ? (unsigned char)p->text.p[t] : 0;
}

static unsigned char subject_at(const struct pattern *p, size_t s)
{
	return s < p->subject.n ? (unsigned char)p->subject.p[s] : 0;
}

static size_t fail_with(struct pattern *p, const char *error)
{
	if (p->error == NULL)
		p->error = error;
	return FAIL;
}

/* False: over the limit or told to stop; p->error says so. */
static bool take_step(struct pattern *p)
{
	if (p->steps_left == 0) {
		fail_with(p, E_COMPLEX);
		return false;
	}
	p->steps_left--;
	if (p->stop != NULL && p->steps_left % STOP_POLL_STEPS == 0 && *p->stop) {
		fail_with(p, E_STOPPED);
		return false;
	}
	return p->error == NULL;
}

/* The offset behind the ']' of the set that opens at t, or FAIL. */
static size_t set_end(struct pattern *p, size_t t)
{
	t++;
	if (text_at(p, t) == '^')
		t++;
	do { /* a ']' right here is an ordinary character */
		unsigned char c = text_at(p, t);

		if (c == 0)
			return fail_with(p, E_MISSING_BRACKET);
		t++;
		if (c == ESCAPE && text_at(p, t) != 0)
			t++;
	} while (text_at(p, t) != ']');
	return t + 1;
}

/* The offset behind the single-character item at t, or FAIL. */
static size_t item_end(struct pattern *p, size_t t)
{
	unsigned char c = text_at(p, t);

	if (c == ESCAPE) {
		if (text_at(p, t + 1) == 0)
			return fail_with(p, E_ENDS_ESCAPE);
		return t + 2;
	}
	return c == '[' ? set_end(p, t) : t + 1;
}

/* Is c in the set from its '[' at t to the ']' at last? */
static bool set_holds(const struct pattern *p, unsigned char c, size_t t, size_t last)
{
	bool wanted = true;

	if (text_at(p, t + 1) == '^') {
		wanted = false;
		t++;
	}
	while (++t < last) {
		unsigned char m = text_at(p, t);

		if (m == ESCAPE) {
			t++;
			if (pattern_class_holds(c, text_at(p, t)))
				return wanted;
		} else if (text_at(p, t + 1) == '-' && t + 2 < last) {
			if (m <= c && c <= text_at(p, t + 2))
				return wanted;
			t += 2;
		} else if (m == c) {
			return wanted;
		}
	}
	return !wanted;
}

static bool item_holds(const struct pattern *p, size_t s, size_t t, size_t end)
{
	unsigned char c;

	if (s >= p->subject.n)
		return false;
	c = (unsigned char)p->subject.p[s];
	switch (text_at(p, t)) {
	case '.':
		return true;
	case ESCAPE:
		return pattern_class_holds(c, text_at(p, t + 1));
	case '[':
		return set_holds(p, c, t, end - 1);
	default:
		return text_at(p, t) == c;
	}
}

/* %bxy, t at the x. */
static size_t match_balance(struct pattern *p, size_t s, size_t t)
{
	unsigned char open = text_at(p, t), close = text_at(p, t + 1);
	size_t nesting = 1;

	if (open == 0 || close == 0)
		return fail_with(p, E_BALANCE);
	if (s >= p->subject.n || subject_at(p, s) != open)
		return FAIL;
	while (++s < p->subject.n) {
		unsigned char c = subject_at(p, s);

		if (!take_step(p))
			return FAIL;
		if (c == close) {
			if (--nesting == 0)
				return s + 1;
		} else if (c == open) {
			nesting++;
		}
	}
	return FAIL;
}

static size_t match_longest(struct pattern *p, size_t s, size_t t, size_t end)
{
	size_t n = 0;

	while (item_holds(p, s + n, t, end)) {
		n++;
		if (!take_step(p))
			return FAIL;
	}
	for (;;) {
		size_t r = match_here(p, s + n, end + 1);

		if (r != FAIL || p->error != NULL || n == 0)
			return r;
		n--;
	}
}

static size_t match_shortest(struct pattern *p, size_t s, size_t t, size_t end)
{
	for (;;) {
		size_t r = match_here(p, s, end + 1);

		if (r != FAIL || p->error != NULL)
			return r;
		if (!item_holds(p, s, t, end) || !take_step(p))
			return FAIL;
		s++;
	}
}

static size_t open_capture(struct pattern *p, size_t s, size_t t)
{
	bool is_position = text_at(p, t + 1) == ')';
	struct pattern_capture *c = &p->capture[p->n_captures];
	size_t r;

	if (p->n_captures >= PATTERN_CAPTURES_MAX)
		return fail_with(p, E_TOO_MANY);
	*c = (struct pattern_capture){.start = s, .is_position = is_position};
	if (!is_position)
		c->n = OPEN;
	p->n_captures++;
	r = match_here(p, s, is_position ? t + 2 : t + 1);
	if (r == FAIL)
		p->n_captures--;
	return r;
}

static size_t close_capture(struct pattern *p, size_t s, size_t t)
{
	unsigned i = p->n_captures;
	size_t r;

	do {
		if (i == 0)
			return fail_with(p, E_PATTERN_CAPTURE);
		i--;
	} while (p->capture[i].n != OPEN);
	p->capture[i].n = s - p->capture[i].start;
	r = match_here(p, s, t + 1);
	if (r == FAIL)
		p->capture[i].n = OPEN;
	return r;
}

/* %1 … %9: s behind the same bytes again, or FAIL. */
static size_t match_back_reference(struct pattern *p, size_t s, unsigned char digit)
{
	unsigned i = (unsigned)digit - '1'; /* '0' wraps round and is refused */
	const struct pattern_capture *c = &p->capture[i % PATTERN_CAPTURES_MAX];

	if (digit == '0' || i >= p->n_captures || c->n == OPEN)
		return fail_with(p, E_CAPTURE_INDEX);
	/* A position capture has no bytes that could come again. */
	if (c->is_position || p->subject.n - s < c->n ||
			memcmp(p->subject.p + c->start, p->subject.p + s, c->n) != 0)
		return FAIL;
	return s + c->n;
}

/* %f[set], t at the '['; *ret_t behind it. */
static bool match_frontier(struct pattern *p, size_t s, size_t t, size_t *ret_t)
{
	size_t end;

	if (text_at(p, t) != '[') {
		fail_with(p, E_FRONTIER);
		return false;
	}
	end = set_end(p, t);
	if (end == FAIL)
		return false;
	*ret_t = end;
	return !set_holds(p, s == 0 ? 0 : subject_at(p, s - 1), t, end - 1) &&
	       set_holds(p, subject_at(p, s), t, end - 1);
}

enum item_outcome { ITEM_GO_ON, ITEM_DONE };

/* A %-item that is not a plain class: moves *s and *t on, or ends with *s = FAIL. */
static bool match_escape_item(struct pattern *p, size_t *s, size_t *t)
{
	unsigned char c = text_at(p, *t + 1);

	if (c == 'b') {
		*s = match_balance(p, *s, *t + 2);
		*t += 4;
		return true;
	}
	if (c == 'f') {
		if (!match_frontier(p, *s, *t + 2, t))
			*s = FAIL;
		return true;
	}
	if (pattern_class_is_digit(c)) {
		*s = match_back_reference(p, *s, c);
		*t += 2;
		return true;
	}
	return false;
}

/* One single-character item with its suffix.  ITEM_GO_ON: *s, *t stand behind it. */
static enum item_outcome match_item(struct pattern *p, size_t *s, size_t *t)
{
	size_t end = item_end(p, *t), r;

	if (end == FAIL) {
		*s = FAIL;
		return ITEM_DONE;
	}
	switch (text_at(p, end)) {
	case '?':
		if (item_holds(p, *s, *t, end)) {
			r = match_here(p, *s + 1, end + 1);
			if (r != FAIL || p->error != NULL) {
				*s = r;
				return ITEM_DONE;
			}
		}
		*t = end + 1;
		return ITEM_GO_ON;
	case '*':
		*s = match_longest(p, *s, *t, end);
		return ITEM_DONE;
	case '+':
		*s = item_holds(p, *s, *t, end) ? match_longest(p, *s + 1, *t, end) : FAIL;
		return ITEM_DONE;
	case '-':
		*s = match_shortest(p, *s, *t, end);
		return ITEM_DONE;
	default:
		if (!item_holds(p, *s, *t, end)) {
			*s = FAIL;
			return ITEM_DONE;
		}
		++*s;
		*t = end;
		return ITEM_GO_ON;
	}
}

/* The end of the match of text from t on at s, or FAIL. */
static size_t match_here(struct pattern *p, size_t s, size_t t)
{
	if (p->depth >= PATTERN_DEPTH_MAX)
		return fail_with(p, E_COMPLEX);
	p->depth++;
	while (s != FAIL && text_at(p, t) != 0) {
		unsigned char c = text_at(p, t);

		if (!take_step(p)) {
			s = FAIL;
		} else if (c == '(') {
			s = open_capture(p, s, t);
			break;
		} else if (c == ')') {
			s = close_capture(p, s, t);
			break;
		} else if (c == '$' && text_at(p, t + 1) == 0) {
			if (s != p->subject.n)
				s = FAIL;
			break;
		} else if (c == ESCAPE && match_escape_item(p, &s, &t)) {
			continue;
		} else if (match_item(p, &s, &t) == ITEM_DONE) {
			break;
		}
	}
	p->depth--;
	return p->error != NULL ? FAIL : s;
}

void pattern_begin(struct pattern *p, struct str subject, struct str text, uint64_t max_steps)
{
	p->subject = subject;
	p->is_anchored = text.n > 0 && text.p[0] == '^';
	p->text = str_from(text, p->is_anchored ? 1 : 0);
	p->steps_left = max_steps != 0 ? max_steps
				       : STEPS_MIN + (uint64_t)subject.n * STEPS_PER_BYTE;
	p->stop = NULL;
	p->n_captures = 0;
	p->error = NULL;
	p->depth = 0;
	p->start = p->end = 0;
}

static enum pattern_result result_of_error(const struct pattern *p)
{
	if (p->error == E_COMPLEX)
		return PATTERN_TOO_COMPLEX;
	return p->error == E_STOPPED ? PATTERN_STOPPED : PATTERN_ERROR;
}

enum pattern_result pattern_match_at(struct pattern *p, size_t from)
{
	p->n_captures = 0;
	p->depth = 0;
	if (p->error != NULL)
		return result_of_error(p);
	p->start = from;
	p->end = match_here(p, from, 0);
	if (p->error != NULL)
		return result_of_error(p);
	if (p->end == FAIL)
		return PATTERN_NO_MATCH;
	for (unsigned i = 0; i < p->n_captures; i++) {
		if (p->capture[i].n == OPEN) {
			p->error = E_UNFINISHED;
			return PATTERN_ERROR;
		}
	}
	return PATTERN_MATCH;
}

enum pattern_result pattern_search(struct pattern *p, size_t from)
{
	for (size_t s = from; s <= p->subject.n; s++) {
		enum pattern_result r = pattern_match_at(p, s);

		if (r != PATTERN_NO_MATCH || p->is_anchored)
			return r;
		if (!take_step(p))
			return result_of_error(p);
	}
	return PATTERN_NO_MATCH;
}

bool pattern_get_capture(const struct pattern *p, unsigned i, struct pattern_capture *ret)
{
	if (i < p->n_captures) {
		*ret = p->capture[i];
		return true;
	}
	*ret = (struct pattern_capture){.start = p->start, .n = p->end - p->start};
	return i == 0;
}

bool pattern_is_plain(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != 0 && strchr("^$*+?.([%-", text.p[i]) != NULL)
			return false;
	}
	return true;
}

bool pattern_matches(struct str subject, struct str text, const char **error)
{
	struct pattern p;
	enum pattern_result r;

	pattern_begin(&p, subject, text, 0);
	r = pattern_search(&p, 0);
	if (error != NULL)
		*error = p.error;
	return r == PATTERN_MATCH;
}

/* Walks the items as the matcher would, were every item to match. */
const char *pattern_check(struct str text)
{
	struct pattern p;
	unsigned n_open = 0, n_captures = 0;
	size_t t = 0;

	pattern_begin(&p, STR_NONE, text, 0);
	while (p.error == NULL && text_at(&p, t) != 0) {
		unsigned char c = text_at(&p, t), next = text_at(&p, t + 1);

		if (c == '(') {
			n_open += next == ')' ? 0 : 1;
			if (++n_captures > PATTERN_CAPTURES_MAX)
				return E_TOO_MANY;
			t += next == ')' ? 2 : 1;
		} else if (c == ')') {
			if (n_open == 0)
				return E_PATTERN_CAPTURE;
			n_open--;
			t++;
		} else if (c == ESCAPE && next == 'b') {
			if (text_at(&p, t + 2) == 0 || text_at(&p, t + 3) == 0)
				return E_BALANCE;
			t += 4;
		} else if (c == ESCAPE && next == 'f') {
			if (text_at(&p, t + 2) != '[')
				return E_FRONTIER;
			t = set_end(&p, t + 2);
		} else if (c == ESCAPE && pattern_class_is_digit(next)) {
			if (next == '0' || (unsigned)(next - '0') > n_captures)
				return E_CAPTURE_INDEX;
			t += 2;
		} else {
			t = item_end(&p, t);
		}
	}
	return p.error != NULL ? p.error : n_open > 0 ? E_UNFINISHED : NULL;
}
