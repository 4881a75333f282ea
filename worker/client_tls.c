/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "worker/client_hello.h"
#include "worker/conn.h"
#include "worker/tls_layer.h"
#include "worker/tls_server.h"
#include "worker/worker.h"

struct client_tls {
	uint32_t magic;
	struct tls_layer layer;
	struct tls_server_owner owner;
	struct conn *c;
	uint8_t sni_n;
	char sni[SNI_MAX];
};

#define CLIENT_TLS_MAGIC SL_MAGIC('C', 'T', 'L', 'S')
#define RECORD_HANDSHAKE 0x16 /* RFC 8446 5.1 */

enum client_tls_look client_tls_look(struct io *io)
{
	unsigned char first;
	ssize_t n;

	if (!io->is_readable)
		return CLIENT_TLS_NOTHING;
	n = recv(io->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		io->is_readable = errno == EINTR;
		return CLIENT_TLS_NOTHING;
	}
	if (n <= 0)
		return CLIENT_TLS_GONE;
	/* A method, or the empty lines before one (RFC 9112 2.2); OpenSSL tells the rest what it
	 * thinks of it. */
	return (first >= 'A' && first <= 'Z') || first == '\r' || first == '\n' ? CLIENT_TLS_PLAIN
										: CLIENT_TLS_HELLO;
}

static bool on_name(void *arg, struct str extension)
{
	struct client_tls *t = arg;
	int n = client_hello_sni(extension, t->sni);

	t->sni_n = n > 0 ? (uint8_t)n : 0;
	return n >= 0;
}

static struct str sni_of(const struct client_tls *t)
{
	return (struct str){t->sni, t->sni_n};
}

static struct str name_of(void *arg)
{
	return sni_of(arg);
}

static int on_certificate(void *arg)
{
	struct client_tls *t = arg;
	struct worker *w = t->c->w;

	return tls_server_certify(w->tls_server, t->layer.ssl, w->view, sni_of(t));
}

int client_tls_open(struct client_tls **ret, struct conn *c)
{
	struct client_tls *t = calloc(1, sizeof(*t));
	SSL *ssl = t != NULL ? tls_server_connection(c->w->tls_server) : NULL;

	if (ssl == NULL || SSL_set_fd(ssl, c->io.fd) != 1) {
		SSL_free(ssl);
		free(t);
		ERR_clear_error();
		return -ENOMEM;
	}
	t->magic = CLIENT_TLS_MAGIC;
	t->c = c;
	t->owner = (struct tls_server_owner){on_name, on_certificate, name_of, t};
	SSL_set_app_data(ssl, &t->owner);
	SSL_set_accept_state(ssl);
	tls_layer_open(&t->layer, ssl, &c->io);
	*ret = t;
	return 0;
}

void client_tls_close(struct client_tls *t)
{
	sl_check(t, CLIENT_TLS_MAGIC);
	tls_layer_close(&t->layer);
	t->magic = 0;
	free(t);
}

static void handshake_failed(const struct client_tls *t)
{
	const struct tls_fault *f = &t->layer.fault;
	const char *text = ERR_reason_error_string(f->reason);
	char quoted[2 * SNI_MAX];

	if (text == NULL)
		text = f->system_error != 0 ? strerrordesc_np(f->system_error) : "closed";
	stat_add(&t->c->w->stat->client_tls_failed, 1);
	log_info("TLS handshake failed", "client=%s sni=%s why=\"%s\"", t->c->client_ip,
			log_quote(quoted, sizeof(quoted), sni_of(t)), text);
}

int client_tls_handshake(struct client_tls *t)
{
	struct stat_worker *stat = t->c->w->stat;
	int r;

	sl_check(t, CLIENT_TLS_MAGIC);
	r = tls_layer_handshake(&t->layer);
	if (r == -EAGAIN)
		return r;
	if (r != 0) {
		handshake_failed(t);
		return r;
	}
	stat_add(&stat->client_tls_handshakes, 1);
	if (SSL_session_reused(t->layer.ssl))
		stat_add(&stat->client_tls_resumed, 1);
	return 0;
}

int client_tls_peek(struct client_tls *t)
{
	return tls_layer_peek(&t->layer);
}

void client_tls_tell(const struct client_tls *t, struct exchange_request *ret)
{
	ret->tls_sni = sni_of(t);
	ret->tls_version = str_of(SSL_get_version(t->layer.ssl));
	ret->tls_cipher = str_of(SSL_get_cipher_name(t->layer.ssl));
}
