/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "worker/certificate_phase.h"
#include "worker/client_cert.h"
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
	struct certificate_phase *phase; /* NULL: no plugin has one, or it is to begin */
	bool is_phase_over;
	uint8_t sni_n;
	char sni[SNI_MAX];
};

#define CLIENT_TLS_MAGIC SL_MAGIC('C', 'T', 'L', 'S')
#define CA_BYTES_MAX (1024 * 1024)

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

static int run_phase(struct client_tls *t)
{
	if (t->phase == NULL && !certificate_phase_is_wanted(t->c->w))
		return 1;
	if (t->phase == NULL)
		t->phase = certificate_phase_new(t->c, t);
	return t->phase != NULL ? certificate_phase_run(t->phase) : 0;
}

static int on_certificate(void *arg)
{
	struct client_tls *t = arg;
	struct worker *w = t->c->w;
	int r = t->is_phase_over ? 1 : run_phase(t);

	if (r != 1)
		return r;
	t->is_phase_over = true;
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
	certificate_phase_free(t->phase);
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

struct str client_tls_cert(
		const struct client_tls *t, enum exchange_client_cert what, struct arena *a)
{
	return client_cert_text(t->layer.ssl, what, a);
}

int client_tls_hand_on(const struct client_tls *t, struct exchange *x)
{
	return certificate_phase_hand_on(t->phase, x);
}

/* Any certificate will do: what it is worth is for plugins to say. */
static int accept_any(int is_good, X509_STORE_CTX *ctx)
{
	(void)is_good;
	(void)ctx;
	return 1;
}

/* A trusted file is not asked for its pass phrase. */
static int no_pass_phrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf, (void)size, (void)is_writing, (void)arg;
	return -1;
}

/* The names the client hears, and the store it is verified by.  False: no certificate in pem. */
static bool authorities_use(SSL *ssl, struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509_STORE *store = X509_STORE_new();
	X509 *x = NULL;
	int n = 0;

	while (bio != NULL && store != NULL &&
			(x = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, x) == 1 && SSL_add_client_CA(ssl, x) == 1)
			n++;
		X509_free(x);
	}
	if (n != 0)
		SSL_set1_verify_cert_store(ssl, store);
	X509_STORE_free(store);
	BIO_free(bio);
	ERR_clear_error();
	return n != 0;
}

const char *client_tls_request_cert(struct client_tls *t, struct str ca_pem)
{
	if (ca_pem.n > CA_BYTES_MAX)
		return "ca_certs is too long";
	if (ca_pem.n != 0 && !authorities_use(t->layer.ssl, ca_pem))
		return "ca_certs holds no certificate in PEM form";
	SSL_set_verify(t->layer.ssl, SSL_VERIFY_PEER, accept_any);
	return NULL;
}

void client_tls_disable_reuse(struct client_tls *t)
{
	SSL_set_options(t->layer.ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(t->layer.ssl, 0);
}

void client_tls_tell(const struct client_tls *t, struct exchange_request *ret)
{
	ret->tls_sni = sni_of(t);
	ret->tls_version = str_of(SSL_get_version(t->layer.ssl));
	ret->tls_cipher = str_of(SSL_get_cipher_name(t->layer.ssl));
}
