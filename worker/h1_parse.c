/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/h1_parse.h"

#include <llhttp.h>

struct split {
	struct headers *headers;
	struct h1_head *head;
	struct str name;
	bool is_out_of_memory;
};

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	struct split *s = p->data;

	s->head->target = (struct str){at, n};
	return 0;
}

static int on_method(llhttp_t *p, const char *at, size_t n)
{
	struct split *s = p->data;

	s->head->method = (struct str){at, n};
	return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	struct split *s = p->data;

	s->name = (struct str){at, n};
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct split *s = p->data;

	if (headers_add_scanned(s->headers, s->name, str_trim((struct str){at, n})) == 0)
		return 0;
	s->is_out_of_memory = true;
	return HPE_USER;
}

/* The body is h1_body's: llhttp sees the head only. */
static int on_head_end(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
		.on_url = on_url,
		.on_method = on_method,
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_headers_complete = on_head_end,
};

static int split_head(struct split *s, llhttp_type_t type, struct str head, llhttp_t *p)
{
	enum llhttp_errno e;

	llhttp_init(p, type, &settings);
	p->data = s;
	e = llhttp_execute(p, head.p, head.n);
	if (s->is_out_of_memory)
		return -500;
	return e == HPE_PAUSED ? 0 : -400;
}

static struct str first_line(struct str head)
{
	ptrdiff_t cr = str_find_char(head, '\r');

	return cr < 0 ? head : str_head(head, (size_t)cr);
}

/* Digits only, and few enough never to overflow. */
static bool length_parse(struct str value, uint64_t *ret)
{
	return value.n <= 18 && str_to_u64(value, ret);
}

struct facts {
	const struct header *host, *length, *coding, *expect;
	bool is_ambiguous; /* two of a kind where one is allowed */
	bool says_close, says_keep_alive, says_upgrade, has_upgrade;
};

static void note_one(struct facts *f, const struct header **slot, const struct header *h)
{
	if (*slot != NULL)
		f->is_ambiguous = true;
	*slot = h;
}

static void note_connection(struct facts *f, struct str value)
{
	if (str_ieq(value, STR("keep-alive"))) {
		f->says_keep_alive = true;
		return;
	}
	f->says_close |= headers_list_has(value, STR("close"));
	f->says_keep_alive |= headers_list_has(value, STR("keep-alive"));
	f->says_upgrade |= headers_list_has(value, STR("upgrade"));
}

static void facts_read(struct facts *f, const struct headers *headers)
{
	for (uint32_t i = 0; i < headers->n; i++) {
		const struct header *h = &headers->v[i];

		if (h->id == HEADER_HOST)
			note_one(f, &f->host, h);
		else if (h->id == HEADER_CONTENT_LENGTH)
			note_one(f, &f->length, h);
		else if (h->id == HEADER_TRANSFER_ENCODING)
			note_one(f, &f->coding, h);
		else if (h->id == HEADER_CONNECTION)
			note_connection(f, h->value);
		else if (h->id == HEADER_EXPECT)
			note_one(f, &f->expect, h);
		else if (h->id == HEADER_UPGRADE)
			f->has_upgrade = true;
	}
}

/* RFC 9112 6: one Content-Length, or one Transfer-Encoding that says only "chunked". */
static bool framing_read(struct h1_head *head, const struct facts *f)
{
	if (f->coding != NULL) {
		head->framing = H1_CHUNKED;
		return f->length == NULL && head->minor == 1 &&
		       str_ieq(f->coding->value, STR("chunked"));
	}
	if (f->length == NULL)
		return true;
	head->framing = H1_LENGTH;
	return length_parse(f->length->value, &head->length);
}

static void persistence_read(struct h1_head *head, const struct facts *f)
{
	head->keep_alive = !f->says_close && (head->minor == 1 || f->says_keep_alive);
	head->is_upgrade = f->says_upgrade && f->has_upgrade && head->minor == 1;
}

static bool is_host_char(char c)
{
	if ((c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'))
		return true;
	return c != '\0' && strchr("-._~%!$&'()*+,;=", c) != NULL;
}

static bool is_ip_literal_char(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f') ||
	       c == ':' || c == '.';
}

static bool port_is_valid(struct str s)
{
	uint64_t port;

	if (s.n == 0)
		return true;
	if (s.p[0] != ':')
		return false;
	s = str_from(s, 1);
	return s.n == 0 || (s.n <= 5 && str_to_u64(s, &port) && port <= 65535);
}

bool h1_authority_is_valid(struct str a)
{
	size_t i = 0;

	if (a.n == 0 || a.n > 261)
		return false;
	if (a.p[0] == '[') {
		for (i = 1; i < a.n && is_ip_literal_char(a.p[i]); i++)
			;
		return i > 2 && i < a.n && a.p[i] == ']' && port_is_valid(str_from(a, i + 1));
	}
	while (i < a.n && is_host_char(a.p[i]))
		i++;
	return i != 0 && port_is_valid(str_from(a, i));
}

/* The authority of an absolute-form target; n == 0 for the other forms. */
static struct str target_authority(struct str target)
{
	size_t skip = 0, n = 0;

	if (target.n >= 7 && str_ieq(str_head(target, 7), STR("http://")))
		skip = 7;
	else if (target.n >= 8 && str_ieq(str_head(target, 8), STR("https://")))
		skip = 8;
	if (skip == 0)
		return STR_NONE;
	target = str_from(target, skip);
	while (n < target.n && target.p[n] != '/' && target.p[n] != '?')
		n++;
	return str_head(target, n);
}

/* RFC 9112 3.2: origin-form, absolute-form (which must agree with Host), or "*" of OPTIONS. */
static bool target_read(struct h1_head *head, const struct facts *f)
{
	struct str target = head->target;

	if (f->host == NULL && head->minor == 1)
		return false;
	if (f->host != NULL) {
		head->authority = f->host->value;
		if (!h1_authority_is_valid(head->authority))
			return false;
	}
	if (target.p[0] == '/')
		return true;
	if (str_eq(target, STR("*")))
		return str_eq(head->method, STR("OPTIONS"));
	target = target_authority(target);
	if (!h1_authority_is_valid(target))
		return false;
	if (f->host != NULL && !str_ieq(target, head->authority))
		return false;
	head->authority = target;
	return true;
}

static int expect_read(struct h1_head *head, const struct facts *f)
{
	if (f->expect == NULL || head->minor == 0)
		return 0;
	if (!str_ieq(f->expect->value, STR("100-continue")))
		return -417;
	head->expects_continue = head->framing == H1_CHUNKED ||
				 (head->framing == H1_LENGTH && head->length != 0);
	return 0;
}

int h1_parse_request(struct h1_head *ret, struct str head, struct headers *headers)
{
	struct split s = {.headers = headers, .head = ret};
	struct facts f = {.host = NULL};
	llhttp_t p;
	int r;

	*ret = (struct h1_head){.start_line = first_line(head)};
	r = split_head(&s, HTTP_REQUEST, head, &p);
	if (r != 0)
		return r;
	ret->minor = p.http_minor;
	facts_read(&f, headers);
	if (f.is_ambiguous || ret->target.n == 0 || ret->method.n == 0)
		return -400;
	if (!framing_read(ret, &f) || !target_read(ret, &f))
		return -400;
	if (str_eq(ret->method, STR("CONNECT")))
		return -400;
	persistence_read(ret, &f);
	return expect_read(ret, &f);
}

/* RFC 9112 6.3 */
static bool response_framing(struct h1_head *head, const struct facts *f, struct str method)
{
	if (!framing_read(head, f))
		return false;
	if (f->coding == NULL && f->length == NULL)
		head->framing = H1_UNTIL_CLOSE;
	if (head->status / 100 == 1 || head->status == 204) {
		/* neither may carry a body: a length or coding here is another reading */
		if (f->coding != NULL || (f->length != NULL && head->length != 0))
			return false;
		head->framing = H1_NO_BODY;
	}
	if (head->status == 304 || str_eq(method, STR("HEAD")))
		head->framing = H1_NO_BODY;
	if (head->framing == H1_UNTIL_CLOSE)
		head->keep_alive = false;
	return true;
}

int h1_parse_response(
		struct h1_head *ret, struct str head, struct str method, struct headers *headers)
{
	struct split s = {.headers = headers, .head = ret};
	struct facts f = {.host = NULL};
	llhttp_t p;
	int r;

	*ret = (struct h1_head){.start_line = first_line(head)};
	r = split_head(&s, HTTP_RESPONSE, head, &p);
	if (r != 0)
		return -502;
	ret->minor = p.http_minor;
	ret->status = p.status_code;
	facts_read(&f, headers);
	persistence_read(ret, &f);
	if (f.is_ambiguous || !response_framing(ret, &f, method))
		return -502;
	return 0;
}
