/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/upstream_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/tls_layer.h"

#define SESSIONS 256
#define CA_BYTES_MAX (16 * 1024 * 1024)

/* A session to resume, found by a hash of what it is bound to; the whole is compared. */
struct session_slot {
	SSL_SESSION *session;
	struct upstream_target target;
	char name[UPSTREAM_TLS_NAME_MAX];
};

struct upstream_tls {
	SSL_CTX *context;
	struct tls_contexts *contexts; /* of plugins' certificates */
	struct stat_worker *stat;
	int system_fd; /* of the system's certificates, not parsed yet; -1: none, or done */
	struct session_slot sessions[SESSIONS];
};

struct tls_link {
	uint32_t magic;
	struct tls_layer layer;
	struct upstream_tls *t;
	struct upstream_target target;
	char name[UPSTREAM_TLS_NAME_MAX];
	char why[200];
};

#define TLS_LINK_MAGIC SL_MAGIC('T', 'L', 'S', 'U')

/* Where distributions keep the one file with all of them. */
static const char *const system_files[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
};

bool upstream_target_eq(const struct upstream_target *a, const struct upstream_target *b)
{
	return peer_eq(&a->peer, &b->peer) && a->is_tls == b->is_tls &&
	       (!a->is_tls || (a->is_verified == b->is_verified && a->depth == b->depth &&
					      a->has_own_context == b->has_own_context &&
					      memcmp(a->context_id, b->context_id,
							      sizeof(a->context_id)) == 0 &&
					      str_ieq(a->name, b->name)));
}

static struct session_slot *slot_of(struct upstream_tls *t, const struct upstream_target *target)
{
	const uint8_t *p = (const uint8_t *)&target->peer.at;
	uint32_t h = 2166136261U ^ target->is_verified;

	for (uint32_t i = 0; i < target->peer.len; i++)
		h = (h ^ p[i]) * 16777619U;
	for (size_t i = 0; i < target->name.n; i++)
		h = (h ^ (uint8_t)ascii_lower(target->name.p[i])) * 16777619U;
	for (size_t i = 0; i < 4; i++)
		h = (h ^ target->context_id[i]) * 16777619U;
	return &t->sessions[(h ^ h >> 16) % SESSIONS];
}

/* A ticket arrived: the newest one of its peer is kept. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_link *l = SSL_get_app_data(ssl);
	struct session_slot *s;

	sl_check(l, TLS_LINK_MAGIC);
	s = slot_of(l->t, &l->target);
	if (s->session != NULL)
		SSL_SESSION_free(s->session);
	s->session = session;
	s->target = l->target;
	memcpy(s->name, l->name, l->target.name.n);
	s->target.name.p = s->name;
	return 1;
}

/* RFC 8446 C.4: a ticket of TLS 1.3 is used once. */
static void session_offer(struct tls_link *l, SSL *ssl)
{
	struct session_slot *s = slot_of(l->t, &l->target);

	if (s->session == NULL || !upstream_target_eq(&s->target, &l->target))
		return;
	SSL_set_session(ssl, s->session);
	if (SSL_SESSION_get_protocol_version(s->session) < TLS1_3_VERSION)
		return;
	SSL_SESSION_free(s->session);
	s->session = NULL;
}

/* Every certificate of a PEM text into the store.  How many. */
static int certificates_add(SSL_CTX *context, BIO *pem)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509 *x;
	int n = 0;

	while ((x = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	ERR_clear_error();
	return n;
}

static int file_load(SSL_CTX *context, const char *file, struct why *why)
{
	BIO *pem = BIO_new_file(file, "r");
	int n;

	if (pem == NULL) {
		ERR_clear_error();
		return why_errno(why, errno != 0 ? errno : EIO,
				"lua_ssl_trusted_certificate: %s cannot be read", file);
	}
	n = certificates_add(context, pem);
	BIO_free(pem);
	if (n != 0)
		return 0;
	why_set(why, file, 0, "lua_ssl_trusted_certificate: no PEM certificate in it");
	return -EINVAL;
}

static int system_file_open(void)
{
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(system_files) / sizeof(system_files[0]); i++)
		fd = open(system_files[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		log_warn("no CA certificates of the system",
				"effect=\"tls_verify fails\" install=ca-certificates");
	return fd;
}

static int trusted_load(struct upstream_tls *t, const char *list, struct why *why)
{
	const char *at = list;
	struct str one;
	char file[4096];
	int r;

	while (conf_list_next(&at, &one)) {
		if (str_eq(one, STR("system"))) {
			if (t->system_fd < 0)
				t->system_fd = system_file_open();
			continue;
		}
		snprintf(file, sizeof(file), "%.*s", STR_ARG(one));
		r = file_load(t->context, file, why);
		if (r != 0)
			return r;
	}
	return 0;
}

/* In the jail: the file is open already. */
static void system_load(struct upstream_tls *t)
{
	struct stat st;
	sl_auto_mem char *text = NULL;
	ssize_t n = -1;
	BIO *pem;

	if (t->system_fd < 0)
		return;
	if (fstat(t->system_fd, &st) == 0 && st.st_size <= CA_BYTES_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text != NULL)
		n = pread(t->system_fd, text, (size_t)st.st_size, 0);
	pem = n > 0 ? BIO_new_mem_buf(text, (int)n) : NULL;
	if (pem == NULL || certificates_add(t->context, pem) == 0)
		log_warn("CA certificates of the system cannot be read", "error=%d", errno);
	BIO_free(pem);
	close(t->system_fd);
	t->system_fd = -1;
}

void upstream_tls_free(struct upstream_tls *t)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		SSL_SESSION_free(t->sessions[i].session);
	if (t->system_fd >= 0)
		close(t->system_fd);
	if (t->contexts != NULL)
		tls_contexts_free(t->contexts);
	SSL_CTX_free(t->context);
	free(t);
}

int upstream_tls_new(struct upstream_tls **ret, const struct conf *conf, struct stat_worker *stat,
		struct why *why)
{
	sl_auto(upstream_tls) t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return -ENOMEM;
	t->system_fd = -1;
	t->stat = stat;
	t->context = tls_context_new();
	if (t->context == NULL)
		return -ENOMEM;
	SSL_CTX_sess_set_new_cb(t->context, on_session);
	r = tls_contexts_new(&t->contexts, t->context);
	if (r != 0)
		return r;
	r = trusted_load(t, conf->lua_ssl_trusted_certificate, why);
	if (r != 0)
		return r;
	*ret = sl_steal(t);
	return 0;
}

int upstream_tls_find_context(struct upstream_tls *t, struct upstream_target *target,
		const struct exchange_tls *wanted, struct why *why)
{
	if (!target->is_tls || !target->has_own_context)
		return 0;
	return tls_contexts_get(t->contexts, target->context_id, wanted, &target->context, why);
}

static bool is_dns_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' &&
				c != '_')
			return false;
	}
	return s.n != 0 && s.n <= UPSTREAM_TLS_NAME_MAX;
}

/* Without brackets and final dot. */
static struct str bare(struct str name)
{
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		return (struct str){name.p + 1, name.n - 2};
	if (str_ends(name, STR(".")))
		name.n--;
	return name;
}

struct str upstream_tls_name(struct str host_header, struct str host)
{
	struct peer address;
	struct str name = host_header;
	ptrdiff_t end;

	if (name.n != 0 && name.p[0] == '[')
		end = str_find_char(name, ']') + 1;
	else
		end = str_find_char(name, ':');
	if (end > 0)
		name = str_head(name, (size_t)end);
	name = bare(name);
	return is_dns_name(name) || peer_parse(name, &address) ? name : bare(host);
}

/* What the handshake shows and demands of the peer. */
static bool link_set_up(struct tls_link *l, SSL *ssl, int fd)
{
	struct peer address;
	bool is_ip = peer_parse((struct str){l->name, l->target.name.n}, &address);
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (SSL_set_fd(ssl, fd) != 1)
		return false;
	SSL_set_app_data(ssl, l);
	if (!is_ip && SSL_set_tlsext_host_name(ssl, l->name) != 1)
		return false;
	if (!l->target.is_verified)
		return true;
	if (SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)) == SSL_CTX_get_cert_store(l->t->context))
		system_load(l->t);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if (l->target.depth != 0)
		SSL_set_verify_depth(ssl, l->target.depth - 1);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_ip)
		return X509_VERIFY_PARAM_set1_ip_asc(param, l->name) == 1;
	return SSL_set1_host(ssl, l->name) == 1;
}

int tls_link_open(struct tls_link **ret, struct upstream_tls *t, struct io *io,
		const struct upstream_target *target)
{
	struct tls_link *l = calloc(1, sizeof(*l));
	SSL *ssl;

	if (l == NULL)
		return -ENOMEM;
	l->magic = TLS_LINK_MAGIC;
	l->t = t;
	l->target = *target;
	l->target.context = NULL;
	l->target.name = str_head(target->name,
			target->name.n < sizeof(l->name) ? target->name.n : sizeof(l->name) - 1);
	memcpy(l->name, l->target.name.p, l->target.name.n);
	l->target.name.p = l->name;
	ssl = SSL_new(target->context != NULL ? target->context : t->context);
	if (ssl == NULL || !link_set_up(l, ssl, io->fd)) {
		SSL_free(ssl);
		free(l);
		ERR_clear_error();
		return -ENOMEM;
	}
	session_offer(l, ssl);
	SSL_set_connect_state(ssl);
	tls_layer_open(&l->layer, ssl, io);
	*ret = l;
	return 0;
}

void tls_link_close(struct tls_link *l)
{
	tls_layer_close(&l->layer);
	l->magic = 0;
	free(l);
}

int tls_link_handshake(struct tls_link *l)
{
	int r;

	if (l->layer.is_up)
		return 0;
	r = tls_layer_handshake(&l->layer);
	if (r != 0)
		return r;
	stat_add(&l->t->stat->upstream_tls_handshakes, 1);
	if (SSL_session_reused(l->layer.ssl))
		stat_add(&l->t->stat->upstream_tls_resumed, 1);
	return 0;
}

/* What the record layer has to say, in words. */
static void why_from_fault(struct tls_link *l, const struct tls_fault *f)
{
	long verdict = SSL_get_verify_result(l->layer.ssl);
	const char *text = ERR_reason_error_string(f->reason);
	int reason = ERR_GET_REASON(f->reason);

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		snprintf(l->why, sizeof(l->why), "certificate of %.100s: %s", l->name,
				X509_verify_cert_error_string(verdict));
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		snprintf(l->why, sizeof(l->why), "the service does not speak TLS on this port");
	else if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || f->reason == 0)
		snprintf(l->why, sizeof(l->why), "%s",
				f->kind == SSL_ERROR_SYSCALL && f->system_error != 0
						? strerrordesc_np(f->system_error)
						: "the service closed the connection");
	else
		snprintf(l->why, sizeof(l->why), "%s", text != NULL ? text : "unknown error");
}

const char *tls_link_why(struct tls_link *l)
{
	if (l->layer.fault.kind != 0)
		why_from_fault(l, &l->layer.fault);
	return l->why;
}

struct str tls_link_name(const struct tls_link *l)
{
	return l->target.name;
}

bool tls_link_is_quiet(struct tls_link *l)
{
	return tls_layer_peek(&l->layer) == -EAGAIN;
}
