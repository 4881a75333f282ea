/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tls_layer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define RECORD_BYTES 16384 /* RFC 8446 5.1 */

/* After a call that did not succeed: -EAGAIN, 0 = the peer's good-bye, -errno. */
static int condition(struct tls_layer *l, int result)
{
	int system_error = errno, kind = SSL_get_error(l->ssl, result);

	if (kind == SSL_ERROR_WANT_READ) {
		l->io->is_readable = false;
		return -EAGAIN;
	}
	if (kind == SSL_ERROR_WANT_WRITE) {
		l->io->is_writable = false;
		return -EAGAIN;
	}
	if (kind == SSL_ERROR_WANT_X509_LOOKUP)
		return -EAGAIN;
	if (kind == SSL_ERROR_ZERO_RETURN)
		return 0;
	l->fault = (struct tls_fault){kind, system_error, ERR_peek_last_error()};
	l->is_broken = true;
	ERR_clear_error();
	return l->is_up ? -ECONNRESET : -ECONNABORTED;
}

static ssize_t layer_read(void *layer, void *p, size_t n)
{
	struct tls_layer *l = layer;
	size_t got;
	int r;

	sl_check(l, TLS_LAYER_MAGIC);
	if (!l->io->is_readable)
		return -EAGAIN;
	errno = 0;
	r = SSL_read_ex(l->ssl, p, n, &got);
	return r == 1 ? (ssize_t)got : condition(l, r);
}

/* Slices leave as one record.  A retry must offer the same bytes again: they are gathered
 * anew from the same slices. */
static ssize_t layer_write(void *layer, const struct iovec *iov, int n_iov)
{
	static char record[RECORD_BYTES];
	struct tls_layer *l = layer;
	const void *p = iov[0].iov_base;
	size_t n = iov[0].iov_len, put;
	int r;

	sl_check(l, TLS_LAYER_MAGIC);
	if (!l->io->is_writable)
		return -EAGAIN;
	if (n > RECORD_BYTES)
		n = RECORD_BYTES;
	if (n_iov > 1 && n < RECORD_BYTES) {
		n = 0;
		for (int i = 0; i < n_iov && n < RECORD_BYTES; i++) {
			size_t piece = iov[i].iov_len < RECORD_BYTES - n ? iov[i].iov_len
									 : RECORD_BYTES - n;

			memcpy(record + n, iov[i].iov_base, piece);
			n += piece;
		}
		p = record;
	}
	errno = 0;
	r = SSL_write_ex(l->ssl, p, n, &put);
	if (r == 1)
		return (ssize_t)put;
	r = condition(l, r);
	return r == 0 ? -EPIPE : r;
}

static void layer_end(void *layer)
{
	struct tls_layer *l = layer;

	sl_check(l, TLS_LAYER_MAGIC);
	if (l->is_up && !l->is_broken)
		SSL_shutdown(l->ssl);
	ERR_clear_error();
}

static const struct io_layer io_layer = {layer_read, layer_write, layer_end};

void tls_layer_open(struct tls_layer *l, SSL *ssl, struct io *io)
{
	*l = (struct tls_layer){.magic = TLS_LAYER_MAGIC, .ssl = ssl, .io = io};
	io->layer = &io_layer;
	io->layer_arg = l;
}

void tls_layer_close(struct tls_layer *l)
{
	layer_end(l);
	SSL_free(l->ssl);
	l->ssl = NULL;
	l->io->layer = NULL;
	l->magic = 0;
}

int tls_layer_handshake(struct tls_layer *l)
{
	int r;

	if (l->is_up)
		return 0;
	errno = 0;
	r = SSL_do_handshake(l->ssl);
	if (r != 1) {
		r = condition(l, r);
		return r == 0 ? -ECONNABORTED : r;
	}
	l->is_up = true;
	return 0;
}

int tls_layer_peek(struct tls_layer *l)
{
	size_t n;
	char c;
	int r;

	errno = 0;
	r = SSL_peek_ex(l->ssl, &c, 1, &n);
	return r == 1 ? 1 : condition(l, r);
}
