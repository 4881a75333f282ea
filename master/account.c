/* SPDX-License-Identifier: Apache-2.0 */
#include "master/account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "master/handover.h"
#include "master/histogram_json.h"
#include "master/metric.h"
#include "shm/traffic.h"

#define ACCOUNT_MAGIC SL_MAGIC('A', 'C', 'C', 'T')

struct account {
	uint32_t magic;
	int fd;
	struct traffic *traffic;
};

int account_new(struct account **ret, const struct conf *conf, uint32_t n_slots,
		const struct handover *before, struct why *why)
{
	const struct traffic_shape shape = {n_slots, conf->traffic_routes};
	sl_auto(account) a = calloc(1, sizeof(*a));
	int r;

	if (a == NULL)
		return why_errno(why, ENOMEM, "traffic counters");
	a->magic = ACCOUNT_MAGIC;
	a->fd = -1;
	if (before != NULL) {
		a->fd = handover_take(before->traffic_fd);
		r = a->fd < 0 ? why_errno(why, -a->fd, "traffic counters") : 0;
	} else {
		r = traffic_create(&a->fd, shape, why);
	}
	if (r == 0)
		r = traffic_open(&a->traffic, a->fd, shape, why);
	if (r == 0)
		*ret = sl_steal(a);
	return r;
}

void account_free(struct account *a)
{
	if (a == NULL)
		return;
	sl_check(a, ACCOUNT_MAGIC);
	traffic_free(a->traffic);
	sl_close_fd(&a->fd);
	a->magic = 0;
	free(a);
}

int account_fd(const struct account *a)
{
	return a->fd;
}

/* ---- JSON ---- */

static json_t *statuses_json(const struct traffic_sum *sum)
{
	json_t *all = json_object();
	char key[16];

	for (uint32_t i = 0; i < sum->n_codes; i++) {
		const struct traffic_code_sum *c = &sum->codes[i];
		json_int_t before;

		snprintf(key, sizeof(key), "%u", c->status);
		before = json_integer_value(json_object_get(all, key));
		json_object_set_new(all, key, json_integer(before + (json_int_t)c->n));
	}
	return all;
}

static void add_json(void *arg, const struct traffic_sum *s)
{
	json_array_append_new(arg,
			json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "id",
					s->route_id, "route", s->route, "service", s->service,
					"requests", (json_int_t)s->requests, "bytes_in",
					(json_int_t)s->bytes_in, "bytes_out",
					(json_int_t)s->bytes_out, "statuses", statuses_json(s),
					"request", histogram_json(&s->times[TRAFFIC_TIME_request]),
					"service_time",
					histogram_json(&s->times[TRAFFIC_TIME_service]), "gateway",
					histogram_json(&s->times[TRAFFIC_TIME_gateway])));
}

json_t *account_json(const struct account *a)
{
	json_t *list = json_array();

	sl_check(a, ACCOUNT_MAGIC);
	traffic_each(a->traffic, add_json, list);
	return json_pack("{s:o}", "routes", list);
}

/* ---- Prometheus ---- */

#define WORKSPACE "default"
#define CONSUMER ""

/* The metrics of routes; each has a text of its own, so that one walk over the routes makes all. */
struct families {
	struct buf requests, bandwidth, spreads[TRAFFIC_TIME_COUNT];
};

static const enum metric_id spread_ids[TRAFFIC_TIME_COUNT] = {
#define X(field, ...) METRIC_time_##field,
		TRAFFIC_SPREADS(X)
#undef X
};

static void add_requests(struct buf *out, const struct traffic_sum *s)
{
	char code[12];

	for (uint32_t i = 0; i < s->n_codes; i++) {
		snprintf(code, sizeof(code), "%u", s->codes[i].status);
		metric_line(out, METRIC_kong_http_requests_total, s->codes[i].n, s->service,
				s->route, code, traffic_source_word(s->codes[i].source), WORKSPACE,
				CONSUMER);
	}
}

static void add_bandwidth(struct buf *out, const struct traffic_sum *s)
{
	metric_line(out, METRIC_kong_bandwidth_bytes, s->bytes_in, s->service, s->route, "ingress",
			WORKSPACE, CONSUMER);
	metric_line(out, METRIC_kong_bandwidth_bytes, s->bytes_out, s->service, s->route, "egress",
			WORKSPACE, CONSUMER);
}

static void add_spread(struct buf *out, const struct traffic_sum *s, enum traffic_time time)
{
	const struct traffic_spread_sum *spread = &s->spreads[time];
	sl_auto_buf set = {.p = NULL}, before = {.p = NULL};
	const char *labels;
	struct metric m;
	unsigned n;
	const uint32_t *bounds_ms = traffic_bounds_ms(time, &n);
	uint64_t below = 0;

	metric_get(spread_ids[time], &m);
	metric_labels(&set, spread_ids[time], s->service, s->route, WORKSPACE);
	labels = buf_z(&set);
	if (spread->count == 0 || labels == NULL)
		return;
	buf_printf(&before, "%s_bucket{%s,le=\"", m.name, labels);
	for (unsigned i = 0; i < n; i++) {
		below += spread->n[i];
		buf_add_str(out, buf_str(&before));
		metric_number(out, bounds_ms[i]);
		buf_add(out, "\"} ", 3);
		metric_number(out, below);
		buf_add(out, "\n", 1);
	}
	buf_printf(out, "%s+Inf\"} %" PRIu64 "\n", buf_z(&before), spread->count);
	buf_printf(out, "%s_sum{%s} %.3f\n", m.name, labels, (double)spread->sum_ns / 1e6);
	buf_printf(out, "%s_count{%s} %" PRIu64 "\n", m.name, labels, spread->count);
}

/* traffic_each_fn */
static void add_route(void *arg, const struct traffic_sum *s)
{
	struct families *f = arg;

	add_requests(&f->requests, s);
	add_bandwidth(&f->bandwidth, s);
	for (unsigned time = 0; time < TRAFFIC_TIME_COUNT; time++)
		add_spread(&f->spreads[time], s, (enum traffic_time)time);
}

static void move_family(struct buf *out, enum metric_id id, struct buf *lines)
{
	metric_head(out, id);
	buf_add(out, lines->p, lines->n);
	out->is_failed |= lines->is_failed;
	buf_done(lines);
}

void account_prometheus(const struct account *a, struct buf *out)
{
	struct families f = {.requests = {.p = NULL}};

	sl_check(a, ACCOUNT_MAGIC);
	traffic_each(a->traffic, add_route, &f);
	move_family(out, METRIC_kong_http_requests_total, &f.requests);
	move_family(out, METRIC_kong_bandwidth_bytes, &f.bandwidth);
	for (unsigned time = 0; time < TRAFFIC_TIME_COUNT; time++)
		move_family(out, spread_ids[time], &f.spreads[time]);
}
