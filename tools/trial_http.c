/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial_http.h"

#include <string.h>

struct reading {
	struct str rest;
	int line;
	struct why *why;
};

static json_t *text_of(struct str s)
{
	return json_stringn(s.p, s.n);
}

/* Up to its end, without it. */
static struct str take_line(struct reading *r)
{
	ptrdiff_t n = str_find_char(r->rest, '\n');
	struct str line = n >= 0 ? str_head(r->rest, (size_t)n) : r->rest;

	r->rest = n >= 0 ? str_from(r->rest, (size_t)n + 1) : str_from(r->rest, r->rest.n);
	r->line++;
	if (str_ends(line, STR("\r")))
		line.n--;
	return line;
}

static bool refuse(const struct reading *r, const char *text)
{
	why_set(r->why, NULL, r->line, "%s", text);
	return false;
}

/* What stands before the next space; taken off s. */
static struct str take_word(struct str *s)
{
	ptrdiff_t n = str_find_char(*s, ' ');
	struct str word = n >= 0 ? str_head(*s, (size_t)n) : *s;

	*s = str_trim(str_from(*s, word.n));
	return word;
}

static bool read_request_line(struct reading *r, struct str line, json_t *out)
{
	struct str method = take_word(&line);
	struct str path = take_word(&line);

	if (method.n == 0 || path.n == 0 || path.p[0] != '/' ||
			(line.n > 0 && !str_starts(line, STR("HTTP/"))))
		return refuse(r, "expected a request line: GET /path HTTP/1.1");
	return json_object_set_new(out, "method", text_of(method)) == 0 &&
	       json_object_set_new(out, "path", text_of(path)) == 0;
}

static bool read_status_line(struct reading *r, struct str line, json_t *out)
{
	struct str version = take_word(&line);
	struct str status = take_word(&line);
	uint64_t number = 0;

	if (!str_starts(version, STR("HTTP/")) || status.n != 3 || !str_to_u64(status, &number))
		return refuse(r, "expected a status line: HTTP/1.1 200 OK");
	return json_object_set_new(out, "status", json_integer((json_int_t)number)) == 0;
}

static bool add_header(json_t *headers, struct str name, struct str value)
{
	char key[256];
	json_t *list;

	if (name.n >= sizeof(key))
		return false;
	memcpy(key, name.p, name.n);
	key[name.n] = '\0';
	list = json_object_get(headers, key);
	if (list == NULL) {
		list = json_array();
		if (json_object_set_new(headers, key, list) < 0)
			return false;
	}
	return json_array_append_new(list, text_of(value)) == 0;
}

static bool read_headers(struct reading *r, json_t *out)
{
	json_t *headers = json_object();

	if (json_object_set_new(out, "headers", headers) < 0)
		return false;
	while (r->rest.n > 0) {
		struct str line = take_line(r);
		ptrdiff_t colon = str_find_char(line, ':');
		struct str name = str_head(line, colon > 0 ? (size_t)colon : 0), value;

		if (line.n == 0)
			return true;
		if (name.n == 0 || str_trim(name).n != name.n)
			return refuse(r, "expected a header line: Name: value");
		value = str_trim(str_from(line, name.n + 1));
		if (!add_header(headers, name, value))
			return refuse(r, "the header cannot be used: it is too long or not UTF-8");
		if (str_ieq(name, STR("host")))
			json_object_set_new(out, "host", text_of(value));
	}
	return true;
}

json_t *trial_http_parse(struct str text, bool is_response, struct why *why)
{
	struct reading r = {.rest = text, .why = why};
	json_t *out = json_object();
	struct str first = take_line(&r);
	bool is_good = is_response ? read_status_line(&r, first, out)
				   : read_request_line(&r, first, out);

	is_good = is_good && read_headers(&r, out);
	if (is_good && json_object_set_new(out, "body", text_of(r.rest)) < 0)
		is_good = refuse(&r, "the body is not UTF-8 text");
	if (is_response && is_good)
		json_object_del(out, "host");
	if (is_good)
		return out;
	json_decref(out);
	return NULL;
}
