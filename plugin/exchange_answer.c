/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "plugin/exchange.h"
#include "plugin/status.h"

static const struct status_row {
	int code;
	const char *reason, *message;
} status_rows[] = {
#define X(code, reason, message) {(code), (reason), (message)},
		STATUS_TABLE(X)
#undef X
};

static const struct status_row *status_find(int status)
{
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
		if (status_rows[i].code == status)
			return &status_rows[i];
	return NULL;
}

const char *status_message(int status)
{
	static char general[64];
	const struct status_row *row = status_find(status);

	if (row != NULL && row->message[0] != '\0')
		return row->message;
	snprintf(general, sizeof(general), "The upstream server responded with %d", status);
	return general;
}

const char *status_reason(int status)
{
	const struct status_row *row = status_find(status);

	return row != NULL ? row->reason : "";
}

enum error_form { FORM_JSON, FORM_HTML, FORM_XML, FORM_PLAIN };

/* Media ranges an error can be worded in; the first row is the default. */
static const struct media_row {
	const char *range;
	enum error_form form;
} media_rows[] = {
		{"application/json", FORM_JSON},
		{"*/*", FORM_JSON},
		{"application/*", FORM_JSON},
		{"text/html", FORM_HTML},
		{"application/xhtml+xml", FORM_HTML},
		{"application/xml", FORM_XML},
		{"text/xml", FORM_XML},
		{"text/plain", FORM_PLAIN},
		{"text/*", FORM_PLAIN},
};

static const char *const content_types[] = {
		[FORM_JSON] = "application/json; charset=utf-8",
		[FORM_HTML] = "text/html; charset=utf-8",
		[FORM_XML] = "application/xml; charset=utf-8",
		[FORM_PLAIN] = "text/plain; charset=utf-8",
};

/* "0.25" → 250; 1000 when it is not a weight (RFC 9110 12.4.2). */
static int weight_parse(struct str s)
{
	int v = 0, digits = 0;

	if (s.n == 0 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return 1000;
	for (size_t i = 2; i < s.n && digits < 3; i++, digits++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 1000;
		v = v * 10 + (s.p[i] - '0');
	}
	for (; digits < 3; digits++)
		v *= 10;
	return s.p[0] == '1' ? 1000 : v;
}

/* Cuts the piece before the next `c` off *rest. */
static struct str next_piece(struct str *rest, char c)
{
	ptrdiff_t at = str_find_char(*rest, c);
	struct str piece = at < 0 ? *rest : str_head(*rest, (size_t)at);

	*rest = at < 0 ? STR_NONE : str_from(*rest, (size_t)at + 1);
	return str_trim(piece);
}

static int member_weight(struct str params)
{
	while (params.n != 0) {
		struct str param = next_piece(&params, ';');

		if (str_ieq(str_head(param, 2), STR("q=")))
			return weight_parse(str_from(param, 2));
	}
	return 1000;
}

static const struct media_row *media_find(struct str range)
{
	for (size_t i = 0; i < sizeof(media_rows) / sizeof(media_rows[0]); i++)
		if (str_ieq(range, str_of(media_rows[i].range)))
			return &media_rows[i];
	return NULL;
}

/* The heaviest range of one line, if it is heavier than *best_weight. */
static void negotiate_line(struct str accept, enum error_form *best, int *best_weight)
{
	while (accept.n != 0) {
		struct str params = next_piece(&accept, ',');
		const struct media_row *row = media_find(next_piece(&params, ';'));
		int weight = member_weight(params);

		if (row == NULL || weight <= *best_weight)
			continue;
		*best = row->form;
		*best_weight = weight;
	}
}

/* Several lines are one list (RFC 9110 5.3). */
static enum error_form negotiate(const struct headers *h)
{
	const struct header *f = headers_find_id(h, HEADER_ACCEPT);
	enum error_form best = FORM_JSON;
	int best_weight = 0;

	for (; f != NULL; f = headers_next(h, f))
		negotiate_line(f->value, &best, &best_weight);
	return best;
}

static enum error_form form_of_type(struct str media_type)
{
	const struct media_row *row = media_find(next_piece(&media_type, ';'));

	return row != NULL ? row->form : FORM_JSON;
}

/* A message as JSON text, in the arena.  What is not UTF-8 becomes the status's own words. */
static struct str json_text(struct arena *a, struct str message, int status)
{
	json_t *s = json_stringn(message.p, message.n);
	char *text = NULL;
	struct str ret;

	if (s == NULL)
		s = json_string(status_message(status));
	if (s != NULL)
		text = json_dumps(s, JSON_ENCODE_ANY);
	ret = text != NULL ? arena_str(a, str_of(text)) : STR_NONE;
	free(text);
	json_decref(s);
	return ret;
}

static struct str markup_text(struct arena *a, struct str s)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
	char *p = arena_alloc(a, s.n * 6 + 1);
	size_t n = 0;

	if (p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		p[n++] = s.p[i];
		for (size_t k = 0; k < sizeof(entities) / sizeof(entities[0]); k++)
			if (entities[k].c == s.p[i]) {
				size_t len = strlen(entities[k].entity);

				memcpy(p + n - 1, entities[k].entity, len);
				n += len - 1;
			}
	}
	return (struct str){p, n};
}

static struct str render(struct exchange *x, enum error_form form, int status, struct str message)
{
	struct arena *a = x->arena;
	struct str text = form == FORM_JSON    ? json_text(a, message, status)
			  : form == FORM_PLAIN ? message
					       : markup_text(a, message);
	const char *id = x->request.id;

	switch (form) {
	case FORM_HTML:
		return arena_printf(a,
				"<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n"
				"    <title>Error</title>\n  </head>\n  <body>\n    "
				"<h1>Error</h1>\n"
				"    <p>%.*s.</p>\n    <p>request_id: %s</p>\n  </body>\n</html>\n",
				STR_ARG(text), id);
	case FORM_XML:
		return arena_printf(a,
				"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n"
				"  <message>%.*s</message>\n  "
				"<requestid>%s</requestid>\n</error>\n",
				STR_ARG(text), id);
	case FORM_PLAIN:
		return arena_printf(a, "%.*s\nrequest_id: %s\n", STR_ARG(text), id);
	case FORM_JSON:
		break;
	}
	return arena_printf(
			a, "{\n  \"message\":%.*s,\n  \"request_id\":\"%s\"\n}", STR_ARG(text), id);
}

void exchange_answer_error(struct exchange *x, int status, struct str message)
{
	exchange_answer_error_as(x, status, message, STR_NONE);
}

void exchange_answer_error_as(
		struct exchange *x, int status, struct str message, struct str media_type)
{
	struct answer *answer = &x->answer;
	enum error_form form;

	if (answer->is_set)
		return;
	form = media_type.n != 0 ? form_of_type(media_type) : negotiate(&x->request.headers);
	answer->is_set = true;
	answer->status = status;
	answer->body = render(x, form, status,
			message.p != NULL ? message : str_of(status_message(status)));
	headers_set_id(&answer->headers, HEADER_CONTENT_TYPE,
			media_type.n != 0 ? media_type : str_of(content_types[form]));
	headers_set_id(&answer->headers, HEADER_CONTENT_LENGTH,
			arena_printf(x->arena, "%zu", answer->body.n));
	x->response.source = RESPONSE_FROM_ERROR;
}

void exchange_answer_bare(struct exchange *x, int status)
{
	struct answer *answer = &x->answer;

	if (answer->is_set)
		return;
	answer->is_set = true;
	answer->status = status;
	headers_set_id(&answer->headers, HEADER_CONTENT_LENGTH, STR("0"));
	x->response.source = RESPONSE_FROM_EXIT;
}
