/* SPDX-License-Identifier: Apache-2.0 */
#include "master/handover_check.h"

#include <errno.h>
#include <string.h>

#include "ebpf/steer_shared.h"
#include "master/image.h"
#include "shm/breaker.h"
#include "shm/dict_layout.h"
#include "shm/health.h"
#include "shm/ipc.h"
#include "shm/lat.h"
#include "shm/programs.h"
#include "shm/stat.h"
#include "shm/traffic.h"

/* ---- what must be the same ---- */

#define LAYOUT "layout of "

/* X(name, number): grows, or changes, with what old and new processes share. */
/* clang-format off */
#define LAYOUTS(X) \
	X("the board",         BOARD_ABI) \
	X("the counters",      sizeof(struct stat_worker)) \
	X("the dict",          DICT_ABI) \
	X("the breakers",      sizeof(struct breaker_row)) \
	X("the latencies",     sizeof(struct histogram)) \
	X("the traffic",       sizeof(struct traffic_row)) \
	X("the health",        HEALTH_ROWS * HEALTH_ROW_BYTES) \
	X("worker messages",   IPC_TYPE_COUNT) \
	X("inherited files",   IPC_FD_LISTENERS) \
	X("steering",          sizeof(struct steer_tune) + sizeof(struct steer_counts))

/* Keys that a running node keeps: sluiced must be started again to change them. */
#define KEPT_KEYS(X) \
	X(role) X(prefix) X(proxy_listen) X(worker_user) \
	X(plugin_dict_size) X(plugin_dict_quota) X(plugin_latency_slots) X(traffic_routes) \
	X(steering) X(bpf_pin_dir)
/* clang-format on */

static const char *text_of(const char *value, char buf[32])
{
	(void)buf;
	return value;
}

static const char *number_text(uint64_t value, char buf[32])
{
	snprintf(buf, 32, "%llu", (unsigned long long)value);
	return buf;
}

#define VALUE_TEXT(value, buf) \
	_Generic((value), const char * : text_of, default : number_text)(value, buf)

typedef int each_fn(void *arg, const char *name, const char *value);

static int each_layout(each_fn *fn, void *arg)
{
	char name[64], number[32];
	int r = 0;

#define X(what, value) \
	snprintf(name, sizeof(name), LAYOUT "%s", what); \
	for (char *space = name; (space = strchr(space, ' ')) != NULL;) \
		*space = '_'; \
	r = r == 0 ? fn(arg, name, number_text(value, number)) : r;
	LAYOUTS(X)
#undef X
	return r;
}

static int each_same(const struct conf *conf, each_fn *fn, void *arg)
{
	char number[32];
	int r = each_layout(fn, arg);

#define X(key) r = r == 0 ? fn(arg, #key, VALUE_TEXT(conf->key, number)) : r;
	KEPT_KEYS(X)
#undef X
	if (r == 0)
		r = fn(arg, "workers_max", number_text(conf_workers_max(conf), number));
	return r;
}

static int add(void *arg, const char *name, const char *value)
{
	return handover_add_same(arg, name, value) ? 0 : -ENOMEM;
}

bool handover_fill_same(struct handover *h, const struct conf *conf)
{
	return each_same(conf, add, h) == 0;
}

struct comparison {
	const struct handover *h;
	struct why *why;
};

static const char *find(const struct handover *h, const char *name)
{
	for (size_t i = 0; i < h->n_same; i++) {
		if (strcmp(h->same[i].name, name) == 0)
			return h->same[i].value;
	}
	return NULL;
}

static int compare(void *arg, const char *name, const char *value)
{
	const struct comparison *c = arg;
	const char *running = find(c->h, name);

	if (running != NULL && strcmp(running, value) == 0)
		return 0;
	if (strncmp(name, LAYOUT, strlen("layout")) == 0)
		why_set(c->why, NULL, 0,
				"the %s is %s in the running sluiced, %s in this one: stop it and "
				"start the new one",
				name, running != NULL ? running : "unknown", value);
	else
		why_set(c->why, name, 0,
				"is \"%s\" in the running sluiced, \"%s\" in the configuration "
				"now: "
				"to change it, stop sluiced and start it again",
				running != NULL ? running : "", value);
	return -EPROTO;
}

int handover_compare_same(const struct handover *h, const struct conf *conf, struct why *why)
{
	struct comparison c = {h, why};

	return each_same(conf, compare, &c);
}

/* ---- asked as a new binary ---- */

static int find_programs(const struct conf *conf, struct why *why)
{
	static const struct {
		const char *program, *not_in_role;
	} rows[] = {{"sluice-worker", "control_plane"}, {"sluice-check", "control_plane"},
			{"sluice-control", "data_plane"}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		sl_auto_mem char *path = NULL;

		if (strcmp(conf->role, rows[i].not_in_role) != 0)
			r = program_find(rows[i].program, &path, why);
	}
	return r;
}

static int check(const char *conf_file, const char *fd_text, struct why *why)
{
	sl_auto(handover) h = NULL;
	sl_auto(conf) conf = NULL;
	uint64_t fd;
	int r;

	if (!str_to_u64(str_of(fd_text), &fd) || fd > 1024)
		return why_errno(why, EINVAL, "--handover-check");
	r = handover_from_fd(&h, (int)fd, why);
	if (r == 0)
		r = conf_load(&conf, conf_file, why);
	if (r == 0)
		r = handover_compare_same(h, conf, why);
	return r == 0 ? find_programs(conf, why) : r;
}

int handover_check_run(const char *conf_file, const char *fd_text)
{
	struct why why = WHY_NONE;
	char text[1200];

	if (check(conf_file, fd_text, &why) != 0) {
		fprintf(stderr, "%s\n", why_text(&why, text, sizeof(text)));
		return EXIT_FAILURE;
	}
	printf(HANDOVER_ANSWER " %d %s %s\n", HANDOVER_FORMAT, image_self()->version,
			image_self()->build);
	return EXIT_SUCCESS;
}
