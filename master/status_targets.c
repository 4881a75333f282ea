/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status_targets.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "master/targets.h"

/* The value of a parameter of the query as text of the heap; NULL: it is not there. */
static char *read_text(struct evhttp_request *req, const char *name)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)), *text;
	struct evkeyvalq values = {NULL};
	char *copy = NULL;

	if (query == NULL || evhttp_parse_query_str(query, &values) != 0)
		return NULL;
	text = evhttp_find_header(&values, name);
	if (text != NULL)
		copy = strdup(text);
	evhttp_clear_headers(&values);
	return copy;
}

static json_t *message(int *ret_code, int code, const char *text)
{
	*ret_code = code;
	return json_pack("{s:s}", "message", text);
}

json_t *status_doc_targets(
		const struct status_sources *s, struct evhttp_request *req, int *ret_code)
{
	sl_auto_mem char *name = read_text(req, "upstream");
	json_t *doc = s->targets != NULL && name != NULL
				      ? targets_json(s->targets, s->workers, follow_view(s->follow),
							str_of(name))
				      : NULL;

	*ret_code = HTTP_OK;
	return doc != NULL ? doc
			   : message(ret_code, HTTP_NOTFOUND, "This node has no such upstream");
}

json_t *status_doc_set_target(
		const struct status_sources *s, struct evhttp_request *req, int *ret_code)
{
	sl_auto_mem char *upstream = read_text(req, "upstream"), *target = read_text(req, "target");
	sl_auto_mem char *address = read_text(req, "address"), *health = read_text(req, "health");
	struct target_word word = {.address = address != NULL ? str_of(address) : STR_NONE};
	struct why why = WHY_NONE;
	char text[1200];

	if (s->targets == NULL || upstream == NULL || target == NULL || health == NULL)
		return message(ret_code, HTTP_BADREQUEST, "upstream, target and health are needed");
	word.upstream = str_of(upstream);
	word.target = str_of(target);
	word.is_healthy = strcmp(health, "healthy") == 0;
	if (targets_set(s->targets, s->workers, follow_view(s->follow), &word, &why) < 0)
		return message(ret_code, HTTP_NOTFOUND, why_text(&why, text, sizeof(text)));
	return status_doc_targets(s, req, ret_code);
}
