/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-worker --slot N: started by sluiced with what IPC_INHERIT_TABLE lists.  Opens what
 * it needs, locks itself into the jail, serves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/jail.h"
#include "plugin/vm.h"
#include "shm/ipc.h"
#include "shm/probe.h"
#include "worker/conn.h"
#include "worker/cosocket.h"
#include "worker/crash.h"
#include "worker/listener.h"
#include "worker/master_link.h"
#include "worker/otlp.h"
#include "worker/tls_server.h"
#include "worker/worker.h"

#define CONFIGURE_CPU_MS 500
/* Each discarded VM leaves 64 kB and more of machine code behind. */
#define DISCARDS_MAX 128
/* A collector may keep a stopping worker that long. */
#define FLUSH_NS 2000000000U
#define SECOND_TICKS (1000 / TIMER_TICK_MS)
#define SETTLE_TICKS (LISTENERS_SETTLE_MS / TIMER_TICK_MS)

static struct worker worker = {.magic = WORKER_MAGIC};
static uint64_t ticks, drain_until_ns, flush_until_ns;

static void report_plugin(void *arg, const struct engine_report *report)
{
	struct worker *w = arg;
	char text[sizeof(struct why)], quoted[sizeof(struct why) * 2];

	if (!report->is_active)
		log_warn("plugin refused", "plugin=%.*s why=%s", STR_ARG(report->plugin),
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&report->why, text,
								sizeof(text)))));
	if (w->master != NULL)
		master_link_plugin_state(w, report);
}

void worker_switch_generation(struct worker *w)
{
	uint64_t start = clock_mono_ns();
	struct snap_view *view = NULL;
	struct why why = WHY_NONE;
	int r = snapshot_view(w->snapshot, &view, &why);

	if (r != 0) {
		if (r != SNAP_E_NONE_YET)
			log_err("snapshot cannot be read", "error=%d why=\"%s\"", r, why.text);
		return;
	}
	if (w->view == NULL || snap_view_commit(view) != snap_view_commit(w->view)) {
		if (w->engine != NULL)
			engine_set_view(w->engine, view, report_plugin, w);
		balancers_set_view(w->balancers, view);
		route_table_set_view(w->routes, view);
		snap_view_unref(w->view);
		w->view = snap_view_ref(view);
		atomic_store_explicit(&w->me->generation, snap_view_generation(view),
				memory_order_release);
		stat_add(&w->stat->generation_switches, 1);
		stat_set(&w->stat->generation_switch_ns, clock_mono_ns() - start);
		PROBE(reload, snap_view_generation(w->view), clock_mono_ns() - start);
	}
	snap_view_unref(view);
	master_link_generation_done(w);
}

void worker_drain(struct worker *w, uint32_t deadline_ms)
{
	if (w->is_draining)
		return;
	w->is_draining = true;
	drain_until_ns = clock_mono_ns() + (uint64_t)deadline_ms * 1000000;
	flush_until_ns = clock_mono_ns() + FLUSH_NS;
	atomic_store_explicit(&w->me->state, SLOT_DRAINING, memory_order_release);
	listeners_empty(w);
	listeners_stop(w);
	conn_close_idle(w);
}

/* Which the master sets and takes back at any time. */
static void heed_flags(struct worker *w)
{
	bool was_closing = w->is_closing;

	w->is_closing = (atomic_load_explicit(&w->me->master_flags, memory_order_relaxed) &
					SLOT_IS_CLOSING) != 0;
	if (w->is_closing && !was_closing)
		conn_close_kept(w);
}

static void refresh_date(struct worker *w)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(w->date, sizeof(w->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* New connections avoid a worker that misses a few of these. */
static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	atomic_store_explicit(&w->me->heartbeat_ns, clock_mono_ns(), memory_order_relaxed);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t now = clock_mono_ns();

	(void)fd;
	(void)what;
	w->real_offset_ns = clock_real_ns() - now;
	conn_bury(w);
	upconn_bury(w->upstreams);
	cosocket_bury(w->plugin_sockets);
	heed_flags(w);
	timer_wheel_tick(&w->timers, now / 1000000);
	route_table_sweep(w->routes);
	balancers_sweep(w->balancers);
	ticks++;
	if (ticks % 2 == 0 && w->engine != NULL)
		engine_idle(w->engine);
	if (ticks % SETTLE_TICKS == 0)
		listeners_settle(w);
	if (ticks % SECOND_TICKS == 0) {
		refresh_date(w);
		master_link_plugin_stats(w);
		if (vm_discards() >= DISCARDS_MAX)
			master_link_worn_out(w, vm_discards());
	}
	if (w->is_draining &&
			(now > drain_until_ns ||
					(w->n_conns == 0 && (now > flush_until_ns ||
									    !otlp_flush(w->otlp)))))
		event_base_loopbreak(w->base);
}

static void added_headers_read(struct worker *w)
{
	static const struct {
		struct str name;
		size_t at;
	} names[] = {
			{{"server_tokens", 13}, offsetof(struct added_headers, server_tokens)},
			{{"latency_tokens", 14}, offsetof(struct added_headers, latency_tokens)},
			{{"X-Kong-Request-Id", 17}, offsetof(struct added_headers, request_id)},
			{{"X-Kong-Upstream-Status", 22},
					offsetof(struct added_headers, upstream_status)},
	};
	const char *at = w->conf->headers;
	struct str one;

	while (conf_list_next(&at, &one))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (str_ieq(one, names[i].name))
				*((bool *)(void *)((char *)&w->added + names[i].at)) = true;
	at = w->conf->headers_upstream;
	while (conf_list_next(&at, &one))
		w->added.upstream_request_id |= str_ieq(one, STR("X-Kong-Request-Id"));
}

static unsigned count_listeners(const struct conf *conf)
{
	const char *at = conf->proxy_listen;
	struct str one;
	unsigned n = 0;

	while (conf_list_next(&at, &one))
		n++;
	return n;
}

static int open_latency(struct worker *w, struct why *why)
{
	const struct lat_shape shape = {
			w->board->n_slots, lat_plugins_round(w->conf->plugin_latency_slots)};

	return lat_worker_open(&w->lat, IPC_FD_LAT, IPC_FD_LAT_NAMES, shape, w->slot, why);
}

static int open_traffic(struct worker *w, struct why *why)
{
	const struct traffic_shape shape = {w->board->n_slots, w->conf->traffic_routes};

	return traffic_worker_open(&w->traffic, IPC_FD_TRAFFIC, shape, w->slot, why);
}

static int map_breakers(struct worker *w, struct why *why)
{
	const struct breaker_conf conf = {w->conf->plugin_breaker_trips,
			w->conf->plugin_breaker_window_ms, w->conf->plugin_breaker_retry_ms};

	return breaker_map(&w->breaker, IPC_FD_BREAKER, &conf, why);
}

static int open_inherited(struct worker *w, struct why *why)
{
	int r = conf_from_fd(&w->conf, IPC_FD_CONF, why);
	enum log_level level = LOG_NOTICE;

	if (r != 0)
		return r;
	log_level_parse(str_of(w->conf->log_level), &level);
	log_set_level(level);
	r = ipc_check_inherited(count_listeners(w->conf), why);
	if (r == 0)
		r = board_map(&w->board, IPC_FD_BOARD, why);
	if (r == 0)
		r = stat_map(&w->stats, IPC_FD_STAT, why);
	if (r == 0)
		r = dict_map(&w->dict, IPC_FD_DICT, why);
	if (r == 0)
		r = map_breakers(w, why);
	if (r != 0)
		return r;
	if (w->slot >= w->board->n_slots || w->slot >= w->stats->n_slots) {
		why_set(why, "--slot", 0, "%u is not a slot of the board", w->slot);
		return -EINVAL;
	}
	r = open_latency(w, why);
	if (r == 0)
		r = open_traffic(w, why);
	if (r != 0)
		return r;
	w->me = &w->board->slots[w->slot];
	w->stat = &w->stats->workers[w->slot];
	return 0;
}

static int open_loop(struct worker *w)
{
	struct event_config *c = event_config_new();

	if (c == NULL)
		return -ENOMEM;
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	event_config_require_features(c, EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
	w->base = event_base_new_with_config(c);
	event_config_free(c);
	return w->base != NULL ? 0 : -ENOMEM;
}

void worker_node_id(const struct conf *conf, char ret[64])
{
	sl_auto_mem char *path = conf_path(conf, "node.id");
	sl_auto_file FILE *f = path != NULL ? fopen(path, "re") : NULL;

	ret[0] = '\0';
	if (f == NULL || fgets(ret, 64, f) == NULL)
		return;
	ret[strcspn(ret, "\r\n")] = '\0';
}

/* What resty.dns.resolver asks where a plugin names nobody. */
static struct str name_servers(const struct worker *w)
{
	static char text[DNS_SERVERS_MAX * (INET6_ADDRSTRLEN + sizeof(" 65535\n"))];
	struct peer servers[DNS_SERVERS_MAX];
	unsigned n = dns_servers(w->dns, servers, DNS_SERVERS_MAX);
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		at += peer_text(&servers[i], text + at, sizeof(text) - at);
		at += (size_t)snprintf(
				text + at, sizeof(text) - at, " %u\n", peer_port(&servers[i]));
	}
	return (struct str){text, at};
}

static int open_engine(struct worker *w, struct why *why)
{
	static char node_id[64], hostname[256];
	struct engine_conf c = {
			.level = strcmp(w->conf->untrusted_lua, "lax") == 0 ? VM_LAX : VM_STRICT,
			.is_off = strcmp(w->conf->untrusted_lua, "off") == 0 ||
				  !w->conf->custom_plugin_streaming_enabled,
			.configure_cpu_ms = CONFIGURE_CPU_MS,
			.node_id = node_id,
			.hostname = hostname,
			.version = PACKAGE_VERSION,
			.worker_index = w->slot / BOARD_SEATS,
			.workers_total = atomic_load(&w->board->n_workers),
			.stat = w->stat,
			.lat = w->lat,
			.breaker = w->breaker,
			.dict = w->dict,
			.trusted_ips = str_of(w->conf->trusted_ips),
			.telemetry = otlp_sink(w->otlp),
			.name_servers = name_servers(w),
	};

	limits_policy_of(w->conf, &c.limits);
	worker_node_id(w->conf, node_id);
	gethostname(hostname, sizeof(hostname) - 1);
	if (!c.is_off && vm_process_init(why) != 0) {
		log_err("plugins cannot run here", "why=\"%s\"", why->text);
		c.is_off = true;
	}
	return engine_new(&w->engine, &c, why);
}

static int open_snapshot(struct worker *w, struct why *why)
{
	sl_auto_mem char *dir = conf_path(w->conf, "snapshot");
	int r;

	if (dir == NULL)
		return -ENOMEM;
	r = snapshot_open(&w->snapshot, dir, why);
	if (r > 0 && why->text[0] == '\0')
		why_set(why, dir, 0, "the snapshot cannot be used (condition %d)", r);
	return r > 0 ? -EPROTO : r;
}

static int enter_jail(struct worker *w, struct why *why)
{
	struct jail_conf c = {.user = w->conf->worker_user, .may_use_network = true};
	struct jail_state state;
	char text[512];
	int r = jail_enter(&c, &state, why);

	if (r != 0)
		return r;
	if (state.missing[0] != '\0')
		log_warn("jail is incomplete", "layers=\"%s\"",
				jail_describe(&state, text, sizeof(text)));
	return 0;
}

/* As many descriptors as the system gives: two per connection served. */
static void raise_files_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* Everything that opens a file comes before the jail. */
static int worker_open(struct worker *w, struct why *why)
{
	int r = open_inherited(w, why);

	if (r == 0)
		r = open_loop(w);
	if (r != 0)
		return r;
	atomic_store_explicit(&w->me->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&w->me->state, SLOT_STARTING, memory_order_release);
	atomic_store_explicit(&w->me->active, 0, memory_order_relaxed);
	/* mapped: nothing else is done with it */
	close(IPC_FD_BOARD);
	w->request_limits = (struct h1_limits){(size_t)w->conf->request_line_max,
			(size_t)w->conf->header_max, w->conf->header_count_max};
	added_headers_read(w);
	tracing_read(&w->tracing, w->conf);
	refresh_date(w);
	w->real_offset_ns = clock_real_ns() - clock_mono_ns();
	timer_wheel_init(&w->timers, clock_mono_ms());
	raise_files_limit();
	r = open_snapshot(w, why);
	if (r == 0)
		r = dns_new(&w->dns, w->base, w->conf, why);
	if (r == 0)
		r = real_ip_new(&w->real_ip, w->conf, why);
	if (r == 0)
		r = upconn_pool_new(&w->upstreams, w);
	if (r == 0)
		r = cosocket_pool_new(&w->plugin_sockets, w, why);
	if (r == 0)
		r = upstream_tls_new(&w->tls, w->conf, w->stat, why);
	if (r == 0)
		r = balancers_new(&w->balancers, w, why);
	if (r == 0 && conf_has_tls(w->conf))
		r = tls_server_new(&w->tls_server, w->conf, w->board, why);
	if (r == 0)
		r = otlp_new(&w->otlp, w, why);
	if (r == 0)
		r = open_engine(w, why);
	if (r == 0)
		r = route_table_new(&w->routes, w->engine);
	if (r == 0)
		r = enter_jail(w, why);
	if (r == 0)
		r = master_link_open(w, why);
	return r;
}

static int worker_serve(struct worker *w, struct why *why)
{
	const struct timeval tick = {.tv_sec = 0, .tv_usec = TIMER_TICK_MS * 1000};
	const struct timeval beat = {.tv_sec = 0, .tv_usec = BOARD_BEAT_MS * 1000};
	struct event *ticker = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	struct event *beater = event_new(w->base, -1, EV_PERSIST, on_beat, w);
	int r;

	if (ticker == NULL || event_add(ticker, &tick) != 0 || beater == NULL ||
			event_add(beater, &beat) != 0)
		return why_errno(why, ENOMEM, "event loop");
	worker_switch_generation(w);
	r = listeners_open(w, count_listeners(w->conf), why);
	if (r != 0)
		return r;
	atomic_store_explicit(&w->me->heartbeat_ns, clock_mono_ns(), memory_order_relaxed);
	atomic_store_explicit(&w->me->state, SLOT_READY, memory_order_release);
	master_link_ready(w);
	event_base_dispatch(w->base);
	event_free(ticker);
	event_free(beater);
	return 0;
}

static void worker_close(struct worker *w)
{
	while (w->conns != NULL)
		conn_close(w->conns);
	conn_bury(w);
	listeners_free(w);
	upconn_pool_free(w->upstreams);
	cosocket_pool_free(w->plugin_sockets);
	tls_server_free(w->tls_server);
	master_link_free(w->master);
	route_table_free(w->routes);
	engine_free(w->engine);
	traffic_worker_free(w->traffic);
	otlp_free(w->otlp);
	lat_worker_free(w->lat);
	breaker_free(w->breaker);
	dict_free(w->dict);
	real_ip_free(w->real_ip);
	balancers_free(w->balancers);
	upstream_tls_free(w->tls);
	dns_free(w->dns);
	snap_view_unref(w->view);
	snapshot_free(w->snapshot);
	event_base_free(w->base);
	conf_free(w->conf);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"slot", required_argument, NULL, 's'}, {0}};
	struct worker *w = &worker;
	struct why why = WHY_NONE;
	uint64_t slot = BOARD_SLOTS_MAX;
	char text[sizeof(struct why)];
	int c, r;

	log_init("sluice-worker", LOG_NOTICE);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c != 's' || !str_to_u64(str_of(optarg), &slot))
			slot = BOARD_SLOTS_MAX;
	if (slot >= BOARD_SLOTS_MAX) {
		log_err("usage: sluice-worker --slot N; it is started by sluiced", NULL);
		return 2;
	}
	w->slot = (unsigned)slot;
	crash_watch();
	master_link_take_signals();
	r = worker_open(w, &why);
	if (r == 0)
		r = worker_serve(w, &why);
	if (r != 0) {
		log_crit("cannot start", "slot=%u error=%d why=\"%s\"", w->slot, -r,
				why_text(&why, text, sizeof(text)));
		master_link_failed(&why);
		return 1;
	}
	worker_close(w);
	return 0;
}
