/* SPDX-License-Identifier: Apache-2.0
 *
 * multipart/form-data (RFC 7578, RFC 2046 5.1) and the types of bodies.
 */
#include <errno.h>
#include <string.h>

#include "control/admin_form.h"

/* ---- content types ---- */

struct body_row {
	const char *type;
	enum admin_body body;
};

static const struct body_row body_rows[] = {
		{"application/json", ADMIN_BODY_JSON},
		{"application/x-www-form-urlencoded", ADMIN_BODY_FORM},
		{"multipart/form-data", ADMIN_BODY_MULTIPART},
		{"text/yaml", ADMIN_BODY_YAML},
		{"application/yaml", ADMIN_BODY_YAML},
		{"application/x-yaml", ADMIN_BODY_YAML},
		{"text/plain", ADMIN_BODY_TEXT},
};

/* `name` of "…; name=value; name2="quoted"" without quotes; STR_NONE. */
static struct str parameter(struct str value, struct str name)
{
	ptrdiff_t semicolon;

	while ((semicolon = str_find_char(value, ';')) >= 0) {
		struct str one, key;
		ptrdiff_t equal;

		value = str_trim(str_from(value, (size_t)semicolon + 1));
		equal = str_find_char(value, '=');
		if (equal < 0)
			break;
		key = str_trim(str_head(value, (size_t)equal));
		one = str_from(value, (size_t)equal + 1);
		if (one.n != 0 && one.p[0] == '"') {
			one = str_from(one, 1);
			equal = str_find_char(one, '"');
			if (equal < 0)
				break;
			value = str_from(one, (size_t)equal);
			one = str_head(one, (size_t)equal);
		} else {
			equal = str_find_char(one, ';');
			one = str_trim(equal < 0 ? one : str_head(one, (size_t)equal));
		}
		if (str_ieq(key, name))
			return one;
	}
	return STR_NONE;
}

enum admin_body admin_body_type(struct str content_type, struct str *ret_boundary)
{
	ptrdiff_t semicolon = str_find_char(content_type, ';');
	struct str type = str_trim(
			semicolon < 0 ? content_type : str_head(content_type, (size_t)semicolon));

	*ret_boundary = parameter(content_type, STR("boundary"));
	for (size_t i = 0; i < sizeof(body_rows) / sizeof(body_rows[0]); i++) {
		if (str_ieq(type, str_of(body_rows[i].type)))
			return body_rows[i].body;
	}
	return ADMIN_BODY_UNKNOWN;
}

/* ---- parts ---- */

static int broken(struct why *why, const char *what)
{
	why_set(why, NULL, 0, "the multipart body is broken: %s", what);
	return -EINVAL;
}

/* The name in Content-Disposition among the part's header lines. */
static struct str part_name(struct str head)
{
	while (head.n != 0) {
		ptrdiff_t end = str_find(head, STR("\r\n"));
		struct str line = end < 0 ? head : str_head(head, (size_t)end);
		ptrdiff_t colon = str_find_char(line, ':');

		if (colon > 0 && str_ieq(str_head(line, (size_t)colon), STR("content-disposition")))
			return parameter(str_from(line, (size_t)colon + 1), STR("name"));
		head = end < 0 ? STR_NONE : str_from(head, (size_t)end + 2);
	}
	return STR_NONE;
}

static int take_part(json_t *object, struct str part, struct why *why)
{
	ptrdiff_t end = str_find(part, STR("\r\n\r\n"));
	struct str name, value;
	json_t *v;
	int r;

	if (end < 0)
		return broken(why, "a part has no empty line behind its headers");
	name = part_name(str_head(part, (size_t)end));
	if (name.p == NULL || name.n == 0)
		return broken(why, "a part has no name");
	value = str_from(part, (size_t)end + 4);
	v = value.n == 0 ? json_null() : json_stringn(value.p, value.n);
	if (v == NULL)
		return broken(why, "a part is not valid UTF-8");
	r = admin_form_set(object, name, v, why);
	json_decref(v);
	return r;
}

/* The next part up to its delimiter; rest continues behind the delimiter's "--boundary". */
static int next_part(struct str *rest, struct str delimiter, struct str *ret_part, struct why *why)
{
	ptrdiff_t end;

	if (!str_starts(*rest, STR("\r\n")))
		return broken(why, "a delimiter is not followed by a line end");
	*rest = str_from(*rest, 2);
	end = str_find(*rest, delimiter);
	if (end < 0)
		return broken(why, "the last delimiter is missing");
	*ret_part = str_head(*rest, (size_t)end);
	*rest = str_from(*rest, (size_t)end + delimiter.n);
	return 0;
}

int admin_multipart_parse(struct str body, struct str boundary, json_t **ret, struct why *why)
{
	char text[80]; /* "\r\n--" and at most 70 characters */
	struct str delimiter = {text, 4 + boundary.n};
	struct str rest, part;
	json_t *object;
	int r = 0;

	if (boundary.n == 0 || boundary.n > 70)
		return broken(why, "the boundary must have 1 to 70 characters");
	memcpy(text, "\r\n--", 4);
	memcpy(text + 4, boundary.p, boundary.n);
	if (!str_starts(body, str_from(delimiter, 2)))
		return broken(why, "it does not start with its boundary");
	rest = str_from(body, delimiter.n - 2);
	object = json_object();
	for (unsigned fields = 0; r == 0 && !str_starts(rest, STR("--")); fields++) {
		r = fields < ADMIN_FORM_FIELDS_MAX ? next_part(&rest, delimiter, &part, why)
						   : broken(why, "too many parts");
		if (r == 0)
			r = take_part(object, part, why);
	}
	if (r != 0) {
		json_decref(object);
		return r;
	}
	*ret = object;
	return 0;
}
