/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin development kit, its contract: how C functions become kong.*, ngx.* and
 * modules in a plugin's VM, how they learn which request they work on, when they may be
 * called, how they wait.  libpdk.a; used by pdk_*.c (kong.*) and ngx_*.c (ngx.*).
 *
 * Rules for every such function:
 *  - classic lua_CFunction; strings, numbers, booleans, plain tables in and out: never cdata,
 *    userdata, or a pointer in any shape.
 *  - tables of the plugin are read raw (lua_rawget, lua_next), types by lua_type: no
 *    metamethod of the plugin runs inside our frames.
 *  - it may be left by longjmp at any Lua API call, and by a VM discard anywhere: what it
 *    changes outside Lua (arena, exchange, malloc'd memory) it changes between
 *    vm_host_enter(L) and vm_host_leave(L), with no Lua call that can raise between them.
 *  - wrong type of argument: raise, at the plugin's line (luaL_error does).  What the world
 *    can cause: return nil, "text".
 *
 * A module is a table of rows, X(name, function, phases, level, doc):
 *
 *	#define NODE_FUNCTIONS(X) X("get_id", node_get_id, PDK_ANY, VM_STRICT, "uuid of this node")
 *	static const struct pdk_function functions[] = {NODE_FUNCTIONS(PDK_ROW)};
 *	pdk_register(L, env_index, "kong.node", functions, PDK_COUNT(functions));
 *
 * The phase is checked before the function is entered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/str.h"
#include "plugin/exchange.h"
#include "plugin/phase.h"
#include "plugin/vm.h"

/* Phases as error texts name them, in that order.  Those below PHASE_COUNT are ours; the rest
 * exist in the reference only and are listed for the sake of equal messages. */
/* clang-format off */
#define PDK_PHASE_TABLE(X) \
	X(PDK_CERTIFICATE,      1U << PHASE_CERTIFICATE,   "certificate") \
	X(PDK_REWRITE,          1U << PHASE_REWRITE,       "rewrite") \
	X(PDK_ACCESS,           1U << PHASE_ACCESS,        "access") \
	X(PDK_BALANCER,         1U << PHASE_BALANCER,      "balancer") \
	X(PDK_RESPONSE,         1U << PHASE_RESPONSE,      "response") \
	X(PDK_HEADER_FILTER,    1U << PHASE_HEADER_FILTER, "header_filter") \
	X(PDK_BODY_FILTER,      1U << PHASE_BODY_FILTER,   "body_filter") \
	X(PDK_LOG,              1U << PHASE_LOG,           "log") \
	X(PDK_PREREAD,          1U << 17,                  "preread") \
	X(PDK_ERROR,            1U << 18,                  "error") \
	X(PDK_ADMIN_API,        1U << 19,                  "admin_api") \
	X(PDK_CLUSTER_LISTENER, 1U << 20,                  "cluster_listener")
/* clang-format on */

enum pdk_phases {
	PDK_ANY = 0, /* not checked; outside a request too: pdk_exchange() may be NULL */
#define X(id, bit, name) id = (bit),
	PDK_PHASE_TABLE(X)
#undef X
	/* The groups of the reference. */
	PDK_REQ = PDK_REWRITE | PDK_ACCESS | PDK_BALANCER | PDK_RESPONSE | PDK_HEADER_FILTER |
		  PDK_BODY_FILTER | PDK_LOG | PDK_ERROR | PDK_ADMIN_API | PDK_CLUSTER_LISTENER,
	PDK_IN_REQUEST = PDK_REQ | PDK_CERTIFICATE | PDK_PREREAD,
	PDK_PRE = PDK_REWRITE | PDK_ACCESS | PDK_RESPONSE | PDK_ERROR | PDK_ADMIN_API,
	PDK_WAITS = PDK_PRE | PDK_CERTIFICATE, /* sockets, light threads */
	PDK_HBL = PDK_RESPONSE | PDK_HEADER_FILTER | PDK_BODY_FILTER | PDK_LOG | PDK_ERROR |
		  PDK_ADMIN_API,
	PDK_UHBL = PDK_RESPONSE | PDK_HEADER_FILTER | PDK_BODY_FILTER | PDK_LOG,
	PDK_RAH = PDK_REWRITE | PDK_ACCESS | PDK_RESPONSE | PDK_BALANCER | PDK_HEADER_FILTER |
		  PDK_ERROR | PDK_ADMIN_API,
	PDK_AUTH = PDK_ACCESS | PDK_HEADER_FILTER | PDK_RESPONSE | PDK_BODY_FILTER | PDK_LOG,
	PDK_RA = PDK_REWRITE | PDK_ACCESS,
	PDK_RAB = PDK_RA | PDK_BALANCER,
	PDK_RABP = PDK_RAB | PDK_PREREAD,
};

struct pdk_function {
	const char *name;    /* the Lua name within its table; "" = the table itself is callable */
	lua_CFunction call;  /* NULL: written in Lua, and put there by its module */
	uint32_t phases;     /* enum pdk_phases */
	enum vm_level level; /* VM_LAX: absent in strict VMs */
	const char *doc;     /* one line; the documentation is made of these */
};

#define PDK_ROW(name, function, phases, level, doc) {(name), (function), (phases), (level), (doc)},
#define PDK_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Adds the rows to the table `path` ("kong.request") below the table at env_index, making
 * tables where there are none.  Rows and path must be static: most functions are made when they
 * are first asked for. */
void pdk_register(lua_State *L, int env_index, const char *path, const struct pdk_function *rows,
		size_t n);
/* Unless NULL, told of every call of pdk_register(): the documentation is made so. */
typedef void pdk_observe_fn(const char *path, const struct pdk_function *rows, size_t n);
extern pdk_observe_fn *pdk_observer;
/* The rows of what is not made by pdk_register(), for the documentation alone. */
void pdk_announce(const char *path, const struct pdk_function *rows, size_t n);
/* Pushes the table `path` below the table at env_index, made where absent. */
void pdk_push_table(lua_State *L, int env_index, const char *path);
/* Pushes the function of that name that was registered at path, one whose table's own metatable
 * asks for it ("ngx").  False, and nothing: there is none. */
bool pdk_push_registered(lua_State *L, const char *path, struct str name);

struct pdk_slot;
struct pdk_sockets; /* plugin/ngx_socket.h */
struct pdk_waiter;

/* What a parked call returns, told when it goes on: pushes results on L, returns how many.
 * Runs outside any protected call: it must not raise. */
struct pdk_pending;
typedef int pdk_finish_fn(lua_State *L, struct exchange *x, const struct pdk_pending *pending);
/* Is what the call waits for there?  After true, finish() follows at once. */
typedef bool pdk_done_fn(struct exchange *x, struct pdk_pending *pending);
/* What a parked call wants of the chain before it goes on. */
enum pdk_want { PDK_WANT_NOTHING, PDK_WANT_SPAWN, PDK_WANT_KILL };
struct pdk_pending {
	pdk_finish_fn *finish;
	pdk_done_fn *is_done; /* NULL: any wake after the deadline, or any where there is none */
	void (*drop)(struct pdk_pending *pending); /* it ends without finish(); NULL = nothing */
	uint64_t deadline_ns;                      /* monotonic; 0 = none */
	bool is_timed_out;                         /* for finish() */
	enum pdk_want want;
	int thread; /* SPAWN: the function's registry reference, then the new thread's id, or 0
		       (too many), -1; KILL: whom, then 1 or 0 */
	double number[2];
	struct str text; /* in the request's arena, or anchored in the parked coroutine */
	void *object;    /* of the call's own */
};

/* What one run used up of the budgets that the PDK counts; kept with it while it is parked. */
struct pdk_spent {
	uint32_t log_lines;
	uint64_t output_bytes;
};

/* What the functions of one VM work on: vm_user().  Set by the chain before every run. */
struct pdk_host {
	const struct engine_conf *conf; /* plugin/engine.h */
	enum vm_level level;
	const char *plugin_name;
	char cluster_id[40];        /* kong.cluster.get_id(); "" = none yet */
	struct exchange *exchange;  /* NULL: main chunk, configure */
	enum phase phase;           /* PHASE_COUNT: main chunk */
	struct str instance_id;     /* of the plugin instance that runs; n == 0: none */
	struct snap_view *view;     /* the configuration this run sees; NULL: main chunk */
	struct pdk_slot *slot;      /* this plugin in this request; NULL outside one */
	struct pdk_pending pending; /* of the run that parks right now */
	bool is_parking;
	uint32_t dict_space;        /* 1 + this plugin's space in shm/dict; 0 = not asked */
	struct vm_limits limits;    /* of what runs */
	struct pdk_spent spent;     /* by the run at hand */
	struct pdk_waiter *waiters; /* who waits for something of this VM (ngx_thread.c) */
	uint64_t last_queue;
	bool is_denial_logged; /* a refusal of plugin_egress */
};

/* A plugin's own state in one request; owned by its chain. */
struct pdk_slot {
	int ctx_ref;          /* registry reference of kong.ctx.plugin, LUA_NOREF until asked for */
	int retry_ref;        /* of set_target_retry_callback()'s function, LUA_NOREF = none */
	uint32_t retry_order; /* the highest of the request's plugins is in force */
	struct str held_body; /* body_filter: chunks held back by get_raw_body() */
	size_t held_cap;
	struct pdk_sockets *sockets; /* ngx.socket; NULL until asked for */
	bool has_replaced_body;      /* set_raw_body(): later chunks are dropped */
	bool is_inspect_off;
	struct pdk_held *held; /* locks in shm/dict: plugin/pdk_held.h */
};

static inline struct pdk_host *pdk_host(lua_State *L)
{
	return vm_user(L);
}
/* NULL outside a request. */
static inline struct exchange *pdk_exchange(lua_State *L)
{
	return pdk_host(L)->exchange;
}

/* Raises when the running phase is not in `phases`.  pdk_register'ed functions need no call. */
void pdk_check_phase(lua_State *L, uint32_t phases);
/* "rewrite, access", cut at size. */
void pdk_phases_text(uint32_t phases, char *buf, size_t size);
/* True in certificate, rewrite, access, response: the phases in which pdk_wait() may be called. */
bool pdk_may_wait(lua_State *L);
/* A deadline from now; never 0. */
uint64_t pdk_deadline_ns(double seconds);
/* pdk_done_fn: the request's body is in, or will never be. */
bool pdk_body_is_in(struct exchange *x, struct pdk_pending *pending);
/* `return pdk_wait(L, &pending);` after the exchange_ops call was made: parks the run, or the
 * light thread of it that calls. */
int pdk_wait(lua_State *L, const struct pdk_pending *pending);

/* Arguments, by type and without coercion.  text is the whole message raised. */
struct str pdk_check_str(lua_State *L, int arg, const char *text);
double pdk_check_number(lua_State *L, int arg, const char *text);
/* Absent or nil: `absent`; else an integer in [min, max] or raised "<what> must be …". */
long pdk_opt_count(lua_State *L, int arg, const char *what, long absent, long min, long max);

/* STR_NONE pushes nil. */
void pdk_push_str(lua_State *L, struct str s);
/* The status of each try, as "502, 200"; "" when the request went nowhere. */
void pdk_push_upstream_status(lua_State *L, const struct exchange *x);
/* return pdk_fail(L, "…") : nil, text */
int pdk_fail(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The running phase makes n bytes more of a body or a header; over its limit it is ended here.
 * Before anything is changed. */
void pdk_charge(lua_State *L, size_t n);
/* pdk_charge() and pdk_keep(). */
struct str pdk_keep_output(lua_State *L, struct str s);
/* A copy in the request's arena; raises when that is exhausted. */
struct str pdk_keep(lua_State *L, struct str s);
/* printf of at most 255 bytes into the request's arena; raises when there is no room. */
struct str pdk_keepf(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Raises "out of request memory" when r < 0: behind headers_*() and the like. */
void pdk_check_room(lua_State *L, int r);

/* The request's new body, in the request's arena: seen by later plugins of the same phase too, as
 * is its length. */
void pdk_replace_body(lua_State *L, struct str body);

/* Tables that live in the request, not in any VM; copied in and out by value. */
enum pdk_request_table {
	PDK_CTX_SHARED, /* kong.ctx.shared */
	PDK_NGX_CTX,    /* ngx.ctx */
};
/* Pushes the proxy table (one per VM): reads and writes of its fields go to the request
 * at hand; outside a request they raise. */
void pdk_push_request_table(lua_State *L, enum pdk_request_table which);

/* vm_open_fn: kong, ngx and the modules, into the environment.  libengine.a. */
void pdk_open(lua_State *L, int env_index);
/* Provided by libngx.a. */
void ngx_open(lua_State *L, int env_index);
/* All of its parts at once, as an observer wants it; `ngx` is a plain table then. */
void ngx_open_all(lua_State *L, int env_index);
