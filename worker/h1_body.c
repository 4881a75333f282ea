/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/h1_body.h"

#include "worker/h1_scan.h"

#define META_BYTES_MAX 8192
#define SIZE_DIGITS_MAX 15

enum chunk_state {
	CHUNK_SIZE_FIRST,
	CHUNK_SIZE,
	CHUNK_EXT_BEFORE_NAME,
	CHUNK_EXT_NAME,
	CHUNK_EXT_BEFORE_VALUE,
	CHUNK_EXT_VALUE,
	CHUNK_EXT_QUOTED,
	CHUNK_EXT_ESCAPED,
	CHUNK_EXT_BEHIND_QUOTED,
	CHUNK_SIZE_LF,
	CHUNK_BYTES,
	CHUNK_BYTES_CR,
	CHUNK_BYTES_LF,
	CHUNK_TRAILER_FIRST,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_OVER,
	CHUNK_BAD,
};

void h1_body_init(struct h1_body *b, enum h1_framing framing, uint64_t length)
{
	*b = (struct h1_body){.framing = framing, .left = framing == H1_LENGTH ? length : 0};
	b->is_over = framing == H1_NO_BODY || (framing == H1_LENGTH && length == 0);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a size, an extension name or an extension value. */
static enum chunk_state behind_part(char c)
{
	if (c == '\r')
		return CHUNK_SIZE_LF;
	return c == ';' ? CHUNK_EXT_BEFORE_NAME : CHUNK_BAD;
}

static enum chunk_state on_size(struct h1_body *b, char c)
{
	int digit = hex_value(c);

	if (digit < 0)
		return b->state == CHUNK_SIZE_FIRST ? CHUNK_BAD : behind_part(c);
	if (b->meta_bytes > SIZE_DIGITS_MAX)
		return CHUNK_BAD;
	b->left = b->left << 4 | (uint64_t)digit;
	return CHUNK_SIZE;
}

/* chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ), without bad whitespace */
static enum chunk_state on_extension(enum chunk_state state, char c)
{
	bool is_token = h1_is_tchar((unsigned char)c);

	if (state == CHUNK_EXT_BEFORE_NAME)
		return is_token ? CHUNK_EXT_NAME : CHUNK_BAD;
	if (state == CHUNK_EXT_NAME) {
		if (is_token)
			return CHUNK_EXT_NAME;
		return c == '=' ? CHUNK_EXT_BEFORE_VALUE : behind_part(c);
	}
	if (state == CHUNK_EXT_BEFORE_VALUE && c == '"')
		return CHUNK_EXT_QUOTED;
	if (state == CHUNK_EXT_BEFORE_VALUE)
		return is_token ? CHUNK_EXT_VALUE : CHUNK_BAD;
	if (state == CHUNK_EXT_VALUE)
		return is_token ? CHUNK_EXT_VALUE : behind_part(c);
	if (state == CHUNK_EXT_BEHIND_QUOTED)
		return behind_part(c);
	if (!h1_is_value_char((unsigned char)c))
		return CHUNK_BAD;
	if (state == CHUNK_EXT_ESCAPED)
		return CHUNK_EXT_QUOTED;
	if (c == '"')
		return CHUNK_EXT_BEHIND_QUOTED;
	return c == '\\' ? CHUNK_EXT_ESCAPED : CHUNK_EXT_QUOTED;
}

static enum chunk_state on_trailer(enum chunk_state state, char c)
{
	if (state == CHUNK_TRAILER_FIRST && c == '\r')
		return CHUNK_END_LF;
	if (state == CHUNK_TRAILER_FIRST)
		return h1_is_tchar((unsigned char)c) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	if (state == CHUNK_TRAILER_NAME && c == ':')
		return CHUNK_TRAILER_VALUE;
	if (state == CHUNK_TRAILER_NAME)
		return h1_is_tchar((unsigned char)c) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
	if (c == '\r')
		return CHUNK_TRAILER_LF;
	return h1_is_value_char((unsigned char)c) ? CHUNK_TRAILER_VALUE : CHUNK_BAD;
}

static enum chunk_state on_lf(struct h1_body *b, char c)
{
	if (c != '\n')
		return CHUNK_BAD;
	if (b->state == CHUNK_END_LF)
		return CHUNK_OVER;
	if (b->state == CHUNK_TRAILER_LF)
		return CHUNK_TRAILER_FIRST;
	b->meta_bytes = 0;
	if (b->state == CHUNK_BYTES_LF)
		return CHUNK_SIZE_FIRST;
	return b->left == 0 ? CHUNK_TRAILER_FIRST : CHUNK_BYTES;
}

/* One byte of anything but chunk data. */
static enum chunk_state on_byte(struct h1_body *b, char c)
{
	enum chunk_state state = (enum chunk_state)b->state;

	if (++b->meta_bytes > META_BYTES_MAX)
		return CHUNK_BAD;
	if (state <= CHUNK_SIZE)
		return on_size(b, c);
	if (state <= CHUNK_EXT_BEHIND_QUOTED)
		return on_extension(state, c);
	if (state == CHUNK_BYTES_CR)
		return c == '\r' ? CHUNK_BYTES_LF : CHUNK_BAD;
	if (state >= CHUNK_TRAILER_FIRST && state <= CHUNK_TRAILER_VALUE)
		return on_trailer(state, c);
	return on_lf(b, c);
}

/* At most `left` bytes from the front. */
static struct str take(struct h1_body *b, struct str *in)
{
	struct str data = str_head(*in, b->left < in->n ? (size_t)b->left : in->n);

	*in = str_from(*in, data.n);
	b->left -= data.n;
	return data;
}

static enum h1_more chunked_next(struct h1_body *b, struct str *in, struct str *ret)
{
	while (in->n != 0 && b->state != CHUNK_BAD) {
		if (b->state == CHUNK_BYTES) {
			*ret = take(b, in);
			if (b->left == 0)
				b->state = CHUNK_BYTES_CR;
			return H1_DATA;
		}
		b->state = (uint8_t)on_byte(b, in->p[0]);
		if (b->state == CHUNK_BAD)
			break;
		*in = str_from(*in, 1);
		if (b->state == CHUNK_OVER) {
			b->is_over = true;
			return H1_END;
		}
	}
	return b->state == CHUNK_BAD ? H1_BAD : H1_WANT;
}

enum h1_more h1_body_next(struct h1_body *b, struct str *in, struct str *ret)
{
	*ret = STR_NONE;
	if (b->is_over)
		return H1_END;
	if (b->framing == H1_CHUNKED)
		return chunked_next(b, in, ret);
	if (in->n == 0)
		return H1_WANT;
	if (b->framing == H1_UNTIL_CLOSE) {
		*ret = *in;
		*in = str_from(*in, in->n);
		return H1_DATA;
	}
	*ret = take(b, in);
	b->is_over = b->left == 0;
	return H1_DATA;
}

bool h1_body_eof(struct h1_body *b)
{
	if (b->framing == H1_UNTIL_CLOSE)
		b->is_over = true;
	return b->is_over;
}
