/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "worker/h1_parse.h"
#include "worker/h1_scan.h"

static const struct h1_limits limits = {256, 1024, 20};

struct verdict {
	int status; /* 0 = a whole head, and it parsed; H1_WAITING = no end seen */
	struct h1_head head;
	size_t length;
};
#define H1_WAITING 1

/* Feeds text in two parts, cut at `cut`. */
static struct verdict request_cut(struct arena *a, struct str text, size_t cut)
{
	struct h1_scan scan = {.start = 0};
	struct verdict v = {.status = H1_WAITING};
	struct headers headers;
	ptrdiff_t n = h1_scan(&scan, &limits, text.p, cut);

	if (n == H1_INCOMPLETE)
		n = h1_scan(&scan, &limits, text.p, text.n);
	if (n == H1_INCOMPLETE)
		return v;
	if (n < 0) {
		v.status = (int)-n;
		return v;
	}
	headers_init(&headers, a);
	v.length = (size_t)n;
	v.status = -h1_parse_request(&v.head,
			(struct str){text.p + scan.start, (size_t)n - scan.start}, &headers);
	return v;
}

/* The verdict must not depend on where the bytes were split. */
static struct verdict request(struct str text)
{
	sl_auto(arena) a = NULL;
	struct verdict whole;

	assert_int_equal(arena_new(&a, 0), 0);
	whole = request_cut(a, text, text.n);
	for (size_t cut = 0; cut < text.n; cut++)
		assert_int_equal(request_cut(a, text, cut).status, whole.status);
	return whole;
}

#define HEAD(line, fields) line "\r\n" fields "\r\n"
#define POST(fields) HEAD("POST / HTTP/1.1", "Host: a\r\n" fields)
#define GET(fields) HEAD("GET / HTTP/1.1", fields)

static const struct {
	const char *claim;
	struct str text;
	int status;
} refused[] = {
#define ROW(claim, literal, status) \
	{ \
		(claim), {(literal), sizeof(literal) - 1}, (status) \
	}
		ROW("length and coding together",
				POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
		ROW("coding and length together",
				POST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400),
		ROW("two equal lengths", POST("Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
		ROW("two lengths", POST("Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
		ROW("a list of lengths", POST("Content-Length: 3, 3\r\n"), 400),
		ROW("a signed length", POST("Content-Length: +3\r\n"), 400),
		ROW("a negative length", POST("Content-Length: -3\r\n"), 400),
		ROW("a hexadecimal length", POST("Content-Length: 0x3\r\n"), 400),
		ROW("an empty length", POST("Content-Length:\r\n"), 400),
		ROW("a length that overflows", POST("Content-Length: 18446744073709551616\r\n"),
				400),
		ROW("a coding that is not chunked", POST("Transfer-Encoding: identity\r\n"), 400),
		ROW("two codings", POST("Transfer-Encoding: gzip, chunked\r\n"), 400),
		ROW("chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n"), 400),
		ROW("chunked in two fields",
				POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: "
				     "chunked\r\n"),
				400),
		ROW("identity behind chunked",
				POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: "
				     "identity\r\n"),
				400),
		ROW("xchunked", POST("Transfer-Encoding: xchunked\r\n"), 400),
		ROW("quoted chunked", POST("Transfer-Encoding: \"chunked\"\r\n"), 400),
		ROW("chunked behind a vertical tab",
				POST("Transfer-Encoding: \x0b"
				     "chunked\r\n"),
				400),
		ROW("an empty coding", POST("Transfer-Encoding:\r\n"), 400),
		ROW("space before the colon", POST("Transfer-Encoding : chunked\r\n"), 400),
		ROW("tab before the colon", POST("Content-Length\t: 3\r\n"), 400),
		ROW("a folded field", POST("X: a\r\n b\r\n"), 400),
		ROW("a folded coding", POST("Transfer-Encoding:\r\n chunked\r\n"), 400),
		ROW("a fold first", GET(" Host: a\r\n"), 400),
		ROW("bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
		ROW("bare LF behind a field", GET("Host: a\nX: b\r\n"), 400),
		ROW("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
		ROW("bare CR in a value", GET("Host: a\r\nX: b\rY: c\r\n"), 400),
		ROW("bare CR in a name", GET("Host: a\r\nX\rY: c\r\n"), 400),
		ROW("CR CR LF", GET("Host: a\r\r\n"), 400),
		ROW("NUL in a value", GET("Host: a\r\nX: b\0c\r\n"), 400),
		ROW("NUL in a name", GET("Host: a\r\nX\0: b\r\n"), 400),
		ROW("no colon", GET("Host: a\r\nX\r\n"), 400),
		ROW("an empty name", GET("Host: a\r\n: x\r\n"), 400),
		ROW("a name that is not a token", GET("Host: a\r\nX(y): b\r\n"), 400),
		ROW("no Host in 1.1", GET("X: a\r\n"), 400),
		ROW("two Hosts", GET("Host: a\r\nHost: a\r\n"), 400),
		ROW("an empty Host", GET("Host:\r\n"), 400),
		ROW("a Host with a path", GET("Host: a/b\r\n"), 400),
		ROW("a Host with userinfo", GET("Host: u@a\r\n"), 400),
		ROW("a Host with two ports", GET("Host: a:1:2\r\n"), 400),
		ROW("a Host with a port too big", GET("Host: a:65536\r\n"), 400),
		ROW("a Host with a space", GET("Host: a b\r\n"), 400),
		ROW("a Host with a broken literal", GET("Host: [::1\r\n"), 400),
		ROW("another host in the target", HEAD("GET http://b/ HTTP/1.1", "Host: a\r\n"),
				400),
		ROW("userinfo in the target", HEAD("GET http://u@a/ HTTP/1.1", "Host: a\r\n"), 400),
		ROW("a target of another scheme", HEAD("GET ftp://a/ HTTP/1.1", "Host: a\r\n"),
				400),
		ROW("a relative target", HEAD("GET a HTTP/1.1", "Host: a\r\n"), 400),
		ROW("asterisk with GET", HEAD("GET * HTTP/1.1", "Host: a\r\n"), 400),
		ROW("CONNECT", HEAD("CONNECT a:80 HTTP/1.1", "Host: a:80\r\n"), 400),
		ROW("HTTP/0.9", "GET /\r\n\r\n", 400),
		ROW("HTTP/1.2", HEAD("GET / HTTP/1.2", "Host: a\r\n"), 400),
		ROW("HTTP/2 by version", HEAD("GET / HTTP/2.0", "Host: a\r\n"), 400),
		ROW("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
		ROW("lower-case http", HEAD("GET / http/1.1", "Host: a\r\n"), 400),
		ROW("a version with a leading zero", HEAD("GET / HTTP/01.1", "Host: a\r\n"), 400),
		ROW("two spaces in the request line", HEAD("GET  / HTTP/1.1", "Host: a\r\n"), 400),
		ROW("a tab in the request line", HEAD("GET\t/ HTTP/1.1", "Host: a\r\n"), 400),
		ROW("a space behind the version", HEAD("GET / HTTP/1.1 ", "Host: a\r\n"), 400),
		ROW("a space before the method", HEAD(" GET / HTTP/1.1", "Host: a\r\n"), 400),
		ROW("a fragment in the target", HEAD("GET /#x HTTP/1.1", "Host: a\r\n"), 400),
		ROW("a byte over 0x7f in the target", HEAD("GET /\xc3\xa9 HTTP/1.1", "Host: a\r\n"),
				400),
		ROW("a lower-case method", HEAD("get / HTTP/1.1", "Host: a\r\n"), 400),
		ROW("TLS on a plain port", "\x16\x03\x01\x02", 400),
		ROW("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
		ROW("a coding in 1.0", HEAD("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"),
				400),
		ROW("an unknown Expect", POST("Expect: 200-ok\r\nContent-Length: 1\r\n"), 417),
};

static void test_what_has_two_readings_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int status = request(refused[i].text).status;

		if (status != refused[i].status)
			fail_msg("%s: %d", refused[i].claim, status);
	}
}

static void test_a_plain_request_gives_its_parts(void **state)
{
	struct str text = STR("GET /a?b=c HTTP/1.1\r\nHost: Example.com:80\r\n\r\nrest");
	struct verdict v = request(text);

	(void)state;
	assert_int_equal(v.status, 0);
	assert_int_equal(v.length, text.n - 4);
	assert_true(str_eq(v.head.method, STR("GET")));
	assert_true(str_eq(v.head.target, STR("/a?b=c")));
	assert_true(str_eq(v.head.authority, STR("Example.com:80")));
	assert_true(str_eq(v.head.start_line, STR("GET /a?b=c HTTP/1.1")));
	assert_int_equal(v.head.framing, H1_NO_BODY);
	assert_true(v.head.keep_alive);
}

static void test_one_empty_line_first_is_skipped(void **state)
{
	(void)state;
	assert_int_equal(request(STR("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")).status, 0);
}

static void test_persistence_follows_version_and_connection(void **state)
{
	(void)state;
	assert_true(request(STR(GET("Host: a\r\n"))).head.keep_alive);
	assert_false(request(STR(GET("Host: a\r\nConnection: close\r\n"))).head.keep_alive);
	assert_false(request(STR(GET("Host: a\r\nConnection: x, Close\r\n"))).head.keep_alive);
	assert_false(request(STR(HEAD("GET / HTTP/1.0", ""))).head.keep_alive);
	assert_true(request(STR(HEAD("GET / HTTP/1.0", "Connection: keep-alive\r\n")))
					.head.keep_alive);
}

static void test_the_absolute_form_names_the_host(void **state)
{
	struct verdict v = request(STR(HEAD("GET http://a:81/x HTTP/1.1", "Host: A:81\r\n")));

	(void)state;
	assert_int_equal(v.status, 0);
	assert_true(str_eq(v.head.authority, STR("a:81")));
}

static void test_expectation_counts_only_with_a_body(void **state)
{
	(void)state;
	assert_true(request(STR(POST("Expect: 100-continue\r\nContent-Length: 1\r\n")))
					.head.expects_continue);
	assert_false(request(STR(GET("Host: a\r\nExpect: 100-continue\r\n")))
					.head.expects_continue);
}

static void test_limits_have_their_own_status(void **state)
{
	sl_auto_buf b = {NULL, 0, 0, false};

	(void)state;
	buf_printf(&b, "GET /%0300d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	assert_int_equal(request(buf_str(&b)).status, 414);
	buf_clear(&b);
	buf_printf(&b, "GET /%0300d", 0);
	assert_int_equal(request(buf_str(&b)).status, 414);
	buf_clear(&b);
	buf_printf(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: %01100d\r\n\r\n", 0);
	assert_int_equal(request(buf_str(&b)).status, 431);
	buf_clear(&b);
	buf_printf(&b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 21; i++)
		buf_printf(&b, "X: y\r\n");
	assert_int_equal(request(buf_str(&b)).status, 431);
}

static int response(struct str text, const char *method, struct h1_head *head)
{
	struct h1_scan scan = {.is_response = true};
	sl_auto(arena) a = NULL;
	struct headers headers;
	ptrdiff_t n;

	assert_int_equal(arena_new(&a, 0), 0);
	headers_init(&headers, a);
	n = h1_scan(&scan, &limits, text.p, text.n);
	if (n <= 0)
		return n == 0 ? H1_WAITING : 502;
	return -h1_parse_response(head, str_head(text, (size_t)n), str_of(method), &headers);
}

static const struct {
	const char *claim;
	struct str text;
	int status;
	enum h1_framing framing;
} replies[] = {
#define REPLY(claim, literal, status, framing) \
	{ \
		(claim), {(literal), sizeof(literal) - 1}, (status), (framing) \
	}
		REPLY("a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0, H1_LENGTH),
		REPLY("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", 0,
				H1_CHUNKED),
		REPLY("until close", "HTTP/1.1 200 OK\r\n\r\n", 0, H1_UNTIL_CLOSE),
		REPLY("no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, H1_LENGTH),
		REPLY("204", "HTTP/1.1 204 No Content\r\n\r\n", 0, H1_NO_BODY),
		REPLY("304 with a length", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", 0,
				H1_NO_BODY),
		REPLY("204 with a body", "HTTP/1.1 204 x\r\nContent-Length: 9\r\n\r\n", 502, 0),
		REPLY("both framings",
				"HTTP/1.1 200 x\r\nContent-Length: 2\r\nTransfer-Encoding: "
				"chunked\r\n\r\n",
				502, 0),
		REPLY("two lengths",
				"HTTP/1.1 200 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
				502, 0),
		REPLY("another coding", "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n", 502,
				0),
		REPLY("a fold", "HTTP/1.1 200 x\r\nX: a\r\n b\r\n\r\n", 502, 0),
		REPLY("bare LF", "HTTP/1.1 200 x\nX: a\r\n\r\n", 502, 0),
		REPLY("a bare CR", "HTTP/1.1 200 x\r\nX: a\rb\r\n\r\n", 502, 0),
		REPLY("HTTP/2", "HTTP/2 200\r\n\r\n", 502, 0),
		REPLY("no status", "HTTP/1.1 OK\r\n\r\n", 502, 0),
		REPLY("status 999", "HTTP/1.1 999 x\r\n\r\n", 502, 0),
		REPLY("an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", 502, 0),
};

static void test_responses_are_read_as_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct h1_head head;
		int status = response(replies[i].text, "GET", &head);

		if (status != replies[i].status ||
				(status == 0 && head.framing != replies[i].framing))
			fail_msg("%s: %d", replies[i].claim, status);
	}
}

static void test_a_response_to_head_has_no_body(void **state)
{
	struct h1_head head;

	(void)state;
	assert_int_equal(response(STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), "HEAD",
					 &head),
			0);
	assert_int_equal(head.framing, H1_NO_BODY);
	assert_int_equal(head.length, 2);
}

/* Decodes text cut at `cut`; false = malformed.  *ret_left: bytes behind the end. */
static bool body_cut(struct str text, size_t cut, struct buf *out, bool *ret_over, size_t *ret_left)
{
	struct str parts[2] = {str_head(text, cut), str_from(text, cut)}, data;
	struct h1_body b;

	h1_body_init(&b, H1_CHUNKED, 0);
	*ret_over = false;
	*ret_left = 0;
	for (int i = 0; i < 2; i++) {
		enum h1_more more = H1_DATA;

		while (!*ret_over && (more = h1_body_next(&b, &parts[i], &data)) == H1_DATA)
			buf_add_str(out, data);
		if (more == H1_BAD)
			return false;
		*ret_over |= more == H1_END;
		if (*ret_over)
			*ret_left += parts[i].n;
	}
	return true;
}

static void assert_body(const char *claim, struct str text, const char *wanted, size_t left)
{
	for (size_t cut = 0; cut <= text.n; cut++) {
		sl_auto_buf out = {NULL, 0, 0, false};
		bool is_over;
		size_t n_left;
		bool is_good = body_cut(text, cut, &out, &is_over, &n_left);

		if (wanted == NULL ? is_good
				   : (!is_good || !is_over || n_left != left ||
						     !str_eq(buf_str(&out), str_of(wanted))))
			fail_msg("%s, cut at %zu", claim, cut);
	}
}

static void test_chunks_are_decoded_wherever_they_are_cut(void **state)
{
	(void)state;
	assert_body("plain", STR("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nNEXT"), "abcde", 4);
	assert_body("extensions", STR("3;a=b;c=\"d;\\\" e\";f\r\nabc\r\n0;x\r\n\r\n"), "abc", 0);
	assert_body("trailers", STR("1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\nG"), "a", 1);
	assert_body("leading zeros", STR("0003\r\nabc\r\n000\r\n\r\n"), "abc", 0);
	assert_body("hex", STR("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789", 0);
}

static void test_bad_chunks_are_refused(void **state)
{
	(void)state;
	assert_body("no size", STR("\r\nabc\r\n"), NULL, 0);
	assert_body("a sign", STR("+3\r\nabc\r\n0\r\n\r\n"), NULL, 0);
	assert_body("0x", STR("0x3\r\nabc\r\n0\r\n\r\n"), NULL, 0);
	assert_body("a space first", STR(" 3\r\nabc\r\n"), NULL, 0);
	assert_body("a space behind", STR("3 \r\nabc\r\n"), NULL, 0);
	assert_body("a size that overflows", STR("10000000000000003\r\nabc\r\n"), NULL, 0);
	assert_body("bare LF behind the size", STR("3\nabc\r\n0\r\n\r\n"), NULL, 0);
	assert_body("bare CR behind the size", STR("3\rabc\r\n"), NULL, 0);
	assert_body("no CRLF behind the data", STR("3\r\nabcd\r\n"), NULL, 0);
	assert_body("bare LF behind the data", STR("3\r\nabc\n0\r\n\r\n"), NULL, 0);
	assert_body("an extension with LF", STR("3;a\nb\r\nabc\r\n"), NULL, 0);
	assert_body("an empty extension", STR("3;\r\nabc\r\n"), NULL, 0);
	assert_body("an extension with NUL", STR("3;a=\"\0\"\r\nabc\r\n"), NULL, 0);
	assert_body("a folded trailer", STR("0\r\nX: a\r\n b\r\n\r\n"), NULL, 0);
	assert_body("a trailer without colon", STR("0\r\nX\r\n\r\n"), NULL, 0);
	assert_body("bare LF in trailers", STR("0\r\nX: a\n\r\n"), NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_what_has_two_readings_is_refused),
			cmocka_unit_test(test_a_plain_request_gives_its_parts),
			cmocka_unit_test(test_one_empty_line_first_is_skipped),
			cmocka_unit_test(test_persistence_follows_version_and_connection),
			cmocka_unit_test(test_the_absolute_form_names_the_host),
			cmocka_unit_test(test_expectation_counts_only_with_a_body),
			cmocka_unit_test(test_limits_have_their_own_status),
			cmocka_unit_test(test_responses_are_read_as_strictly),
			cmocka_unit_test(test_a_response_to_head_has_no_body),
			cmocka_unit_test(test_chunks_are_decoded_wherever_they_are_cut),
			cmocka_unit_test(test_bad_chunks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
