/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP exchange as plugins see it: the request, what goes to the service, what
 * came back, what goes to the client.  The host (sluice-worker, or sluicectl's plugin
 * test) embeds it, fills it, and carries out what plugins changed; the PDK reads and
 * writes it directly.  It knows neither sockets nor Lua.
 *
 * Memory: every slice lives in `arena`, or longer.  Who writes a slice copies first.
 *
 * One request header list serves both kong.request.get_header() and
 * kong.service.request.set_header(), as in Kong: a change is seen by later plugins.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "plugin/headers.h"
#include "plugin/phase.h"

struct exchange;
struct value; /* plugin/value.h */
struct trace; /* plugin/trace.h */

/* What an entity looks like to plugins.  Ref-counted by its owner for the exchange's life. */
struct entity_ref {
	struct str id;   /* uuid; n == 0: no such entity */
	struct str name; /* name, or a consumer's username; n == 0: none */
	struct str json; /* the Admin API form */
};

struct group_list {
	struct entity_ref *v;
	uint32_t n;
};

struct endpoint {
	struct str ip; /* text form */
	uint16_t port;
};

enum body_state {
	BODY_NONE,     /* the message has no body */
	BODY_UNREAD,   /* there is one; nobody asked to hold it whole */
	BODY_READING,  /* asked for; chain_resume() when it is in */
	BODY_COMPLETE, /* whole, in .bytes */
	BODY_TOO_BIG,  /* over the limit for whole bodies: never complete */
	BODY_FAILED,   /* the peer went away first */
};

struct body {
	enum body_state state;
	struct str bytes; /* BODY_COMPLETE */
	bool is_replaced; /* a plugin set it: send .bytes, with its length */
};

/* A response made here: by exit(), error(), or the gateway itself. */
struct answer {
	bool is_set;
	int status;
	struct headers headers;
	struct str body;
};

enum response_source {
	RESPONSE_NOT_YET,
	RESPONSE_FROM_SERVICE, /* "service" */
	RESPONSE_FROM_EXIT,    /* "exit": a plugin answered */
	RESPONSE_FROM_ERROR,   /* "error": the gateway answered */
};

/* What may be asked about a client's certificate: X(constant, nginx variable, what it is) */
/* clang-format off */
#define EXCHANGE_CLIENT_CERT_TABLE(X) \
	X(VERIFY,      "ssl_client_verify",       verify) \
	X(RAW,         "ssl_client_raw_cert",     raw) \
	X(CERT,        "ssl_client_cert",         cert) \
	X(ESCAPED,     "ssl_client_escaped_cert", escaped) \
	X(SUBJECT,     "ssl_client_s_dn",         subject) \
	X(ISSUER,      "ssl_client_i_dn",         issuer) \
	X(SERIAL,      "ssl_client_serial",       serial) \
	X(FINGERPRINT, "ssl_client_fingerprint",  fingerprint) \
	X(FROM,        "ssl_client_v_start",      from) \
	X(UNTIL,       "ssl_client_v_end",        until) \
	X(REMAINING,   "ssl_client_v_remain",     remaining) \
	X(CHAIN,       "",                        chain)
/* clang-format on */
enum exchange_client_cert {
#define X(id, name, what) CLIENT_CERT_##id,
	EXCHANGE_CLIENT_CERT_TABLE(X)
#undef X
			CLIENT_CERT_COUNT
};

struct cosocket_ops;
struct worker; /* the host's */ /* plugin/cosocket.h */

/* What the host does for plugins that must wait.  Whatever happens ends in chain_resume(). */
struct exchange_ops {
	/* Read the request body whole, at most max_bytes (0 = the host's limit): sets
	 * request.body.state to READING now, and to COMPLETE | TOO_BIG | FAILED later. */
	void (*want_body)(struct exchange *x, size_t max_bytes);
	/* Wake the chain after ms, in place of what was asked before. */
	void (*sleep)(struct exchange *x, uint32_t ms);
	/* chain_resume() in ms at the latest, whatever was waited for, unless it comes before.
	 * NULL = waits have no end of their own. */
	void (*limit_wait)(struct exchange *x, uint32_t ms);
	/* What was asked for last is not waited for any more; a body being read may be asked for
	 * again.  NULL = nothing to do. */
	void (*stop_wait)(struct exchange *x);
	bool is_timeless; /* no time passes: who waits for a deadline goes on at the next wake */
	/* Wake the chain in another turn of the loop: x is not the exchange that runs. */
	void (*wake)(struct exchange *x);
	/* kong.client.load_consumer and friends: the consumer record by id or username into
	 * ret (arena copies).  False = none. */
	bool (*find_consumer)(struct exchange *x, struct str key, bool by_username,
			struct entity_ref *ret);
	/* The groups of a consumer, by its id, into ret (arena copies, in any order).  False = no
	 * memory left.  NULL: consumers are in no groups. */
	bool (*find_groups)(struct exchange *x, struct str consumer_id, struct group_list *ret);
	/* About the certificate of the client, in x's arena; n == 0: none.  NULL: no TLS. */
	struct str (*client_cert)(struct exchange *x, enum exchange_client_cert what);
	/* In the certificate phase, NULL elsewhere: asks for a certificate, of an authority of
	 * ca_pem (n == 0: of any); NULL = done, else why not.  And: no later handshake resumes this
	 * one. */
	const char *(*request_client_cert)(struct exchange *x, struct str ca_pem);
	void (*disable_session_reuse)(struct exchange *x);
	const struct cosocket_ops *net; /* NULL: there is no network */
	/* Of ->net: what was waited for is there, or failed.  Goes on with the chain, now or soon.
	 */
	void (*net_ready)(struct exchange *x);
	/* ngx.say/print/flush before the end, where the host can stream its own body: NULL = no. */
};

struct exchange_request {
	struct str scheme; /* "http" | "https": of the connection */
	struct str method;
	struct str target;    /* as received: "/a%20b?x=1" */
	struct str raw_path;  /* as received, without query */
	struct str path;      /* path_normalize()d, what routes match: any byte may be in it */
	struct str raw_query; /* without '?'; plugins may replace it */
	bool is_query_changed;
	uint8_t http_major, http_minor;
	struct headers headers;
	struct str host;    /* Host without port, lower-case */
	uint16_t host_port; /* the port written in Host; 0 = none */
	struct body body;
	struct str request_line; /* "GET /x HTTP/1.1" */
	uint64_t bytes;          /* of the request as received so far */
	uint64_t start_real_ns, start_mono_ns;
	char id[33];                 /* 32 hex digits */
	struct endpoint client;      /* the TCP peer */
	struct endpoint real_client; /* after trusted_ips / real_ip_header */
	bool client_is_trusted;
	struct endpoint server;                      /* the listener's local address */
	struct str tls_sni, tls_version, tls_cipher; /* n == 0: plain text */
};

enum exchange_verify { EXCHANGE_TLS_AS_CONFIGURED, EXCHANGE_TLS_VERIFY, EXCHANGE_TLS_NO_VERIFY };

/* TLS to the service as plugins want it; zeros = as the service entity says. */
struct exchange_tls {
	enum exchange_verify verify;
	bool has_verify_depth;
	uint32_t verify_depth;
	struct str cert_pem, key_pem; /* client certificate (chain); checked to fit */
	struct str ca_pem;            /* trusted authorities; n == 0: as configured */
};

/* Where the request goes.  Filled by routing; plugins overwrite; the host then connects. */
struct exchange_upstream {
	struct str scheme; /* "http" | "https" */
	struct str method; /* starts as request.method */
	struct str path;   /* computed path, escaped; what set_path() replaces; no query */
	struct str host;   /* host or IP to connect to */
	uint16_t port;
	struct str host_header;  /* Host sent to the service */
	bool is_host_header_set; /* by a plugin: preserve_host and set_target do not change it */
	uint32_t connect_timeout_ms, write_timeout_ms, read_timeout_ms;
	uint32_t retries;
	struct exchange_tls tls;
	uint32_t n_retry_callbacks; /* set so far: the last one set counts */
};

struct exchange_response {
	int status; /* what the client gets; 0 = not yet */
	struct headers headers;
	enum response_source source;
	bool is_sent; /* the status line has left: changes raise */
	/* As the service sent them; valid once source == RESPONSE_FROM_SERVICE. */
	int service_status;
	struct headers service_headers;
	struct body service_body; /* BODY_COMPLETE only when the response is buffered */
	uint64_t bytes_sent, body_bytes_sent;
};

/* One try at a peer, for kong.log.serialize. */
struct exchange_try {
	struct endpoint peer;
	uint64_t start_real_ns, connect_ns;
	int state_code; /* 0 = ok, else the status it led to */
	bool is_reused; /* of a connection that was open already */
};

/* What a condition may ask about a plugin. */
struct exchange_plugin {
	bool is_matched; /* an instance has this request's route and service; whatever the consumer
			  */
	bool access_has_executed;
	int priority;
};
/* name: with '_' for '-'.  False: no such plugin is configured. */
typedef bool exchange_plugin_fn(
		const struct exchange *x, struct str name, struct exchange_plugin *ret);

struct exchange {
	uint32_t magic;
	struct arena *arena;
	const struct exchange_ops *ops;
	void *host;            /* the host's own */
	struct worker *worker; /* ... for ops->net; NULL where there is none */
	struct exchange_request request;
	struct exchange_upstream upstream;
	struct exchange_response response;
	struct answer answer; /* the first exit() wins */

	struct entity_ref route, service, consumer;
	struct str group_owner;       /* whose groups count: n == 0, the consumer's */
	struct group_list groups;     /* plugin/groups.h looks them up ... */
	struct str groups_of;         /* ... of that consumer */
	bool has_groups;              /* ... and has done so */
	struct str credential_json;   /* n == 0: none */
	struct str uri_captures_json; /* {"unnamed":[…],"named":{…}}; made by routing for regex
					 paths */
	struct str matched_prefix;    /* what strip_path removes, escaped; n == 0: none */
	struct str route_protocols;   /* "http,https" */

	exchange_plugin_fn *find_plugin; /* set by the chain; NULL = no plugins to ask about */
	void *plugins;                   /* its own */

	bool is_plugin_fault;         /* the answer is that of a plugin that failed */
	bool wants_buffered_response; /* enable_buffering(), or a plugin with a response phase */
	enum phase phase;             /* the one running */

	/* body_filter: the chunk in hand.  is_last with an empty chunk is the end. */
	struct str chunk;
	bool chunk_is_last;

	struct str client_verify;    /* set_client_verify(); n == 0: as it is */
	struct value *client_values; /* what kong.client.set_*() left, by name; NULL = nothing */
	struct value *ctx_shared;    /* kong.ctx.shared, lives here, not in any VM */
	struct value *ngx_ctx;
	/* By plugin name: what its kong.ctx.plugin begins with; NULL = nothing. */
	struct value *ctx_plugins;
	struct value *log_values; /* set_serialize_value */
	struct trace *trace;      /* made by the host; NULL: tracing is off */

	/* Measured by the host for latencies (monotonic; 0 = has not happened). */
	uint64_t upstream_start_ns, upstream_connected_ns, upstream_headers_ns, response_end_ns;
	struct exchange_try tries[8];
	uint32_t n_tries;
};

#define EXCHANGE_MAGIC SL_MAGIC('E', 'X', 'C', 'H')

/* Zeroes x, takes arena and ops, gives every list its arena. */
void exchange_init(struct exchange *x, struct arena *arena, const struct exchange_ops *ops,
		void *host);

/* Sets request.target/raw_path/path/raw_query from an origin-form or absolute-form target
 * (the authority of an absolute form is the caller's to check).  0, or -EINVAL for a target
 * that RFC 9112 3.2 does not allow, -ENOMEM. */
int exchange_set_target(struct exchange *x, struct str target);

/* The route's name, else its id, as a C string in the arena; "" when there is no route. */
const char *exchange_route_name(const struct exchange *x);

/* Fills answer unless one is set already: status, JSON {"message":…,"request_id":…}-style
 * body negotiated by Accept (kong-compatible error templates), content headers. */
void exchange_answer_error(struct exchange *x, int status, struct str message);

/* The same in the form of a media type that is to be its Content-Type; n == 0: negotiated. */
void exchange_answer_error_as(
		struct exchange *x, int status, struct str message, struct str media_type);

/* "Bad request" … as the gateway words it for that status. */
const char *status_message(int status);
/* The HTTP reason phrase, "" when unknown. */
const char *status_reason(int status);

/* STR_NONE where there is no TLS, or nothing to say. */
struct str exchange_client_cert(struct exchange *x, enum exchange_client_cert what);

/* Fills answer unless one is set already: status and no body (a redirect). */
void exchange_answer_bare(struct exchange *x, int status);
