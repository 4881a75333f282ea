/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "ebpf/steer.skel.h"

#define STEER_MAGIC SL_MAGIC('S', 'T', 'E', 'R')

_Static_assert(STEER_AF_INET == AF_INET, "shared with the kernel side");

struct steer {
	uint32_t magic;
	struct steer_bpf *skel;
};

/* ---- loading ---- */

/* The first complaint of libbpf since last_words_clear(): a refused program makes thousands. */
static char last_words[256];

static int keep_first_words(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && last_words[0] == '\0') {
		vsnprintf(last_words, sizeof(last_words), fmt, args);
		last_words[strcspn(last_words, "\n")] = '\0';
	}
	return 0;
}

static int refuse(struct steer_fault *ret, const char *step, int err, struct why *why)
{
	*ret = (struct steer_fault){step, err};
	if (err == EPERM || err == EACCES)
		why_set(why, NULL, 0, "cannot %s: %s (CAP_BPF is needed)", step, strerror(err));
	else
		why_set(why, NULL, 0, "cannot %s: %s%s%.200s%s", step, strerror(err),
				last_words[0] != '\0' ? " (" : "", last_words,
				last_words[0] != '\0' ? ")" : "");
	return STEER_E_UNAVAILABLE;
}

/* libbpf only knows "load"; whether maps may be made at all is its first step. */
static const char *find_failed_step(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	sl_auto_fd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_probe", 4, 8, 1, &opts);

	return fd < 0 ? "create a BPF map" : "load the steering program";
}

static uint32_t count_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

static int reuse_maps(struct steer_bpf *skel, const struct steer_maps *maps)
{
	int r = bpf_map__reuse_fd(skel->maps.sluice_board, maps->board);

	if (r == 0)
		r = bpf_map__reuse_fd(skel->maps.sluice_socks, maps->socks);
	if (r == 0)
		r = bpf_map__reuse_fd(skel->maps.sluice_groups, maps->groups);
	if (r == 0)
		r = bpf_map__reuse_fd(skel->maps.bss, maps->tune);
	return r;
}

int steer_new(struct steer **ret, struct steer_fault *ret_fault, struct why *why)
{
	return steer_new_on(ret, NULL, ret_fault, why);
}

int steer_new_on(struct steer **ret, const struct steer_maps *maps, struct steer_fault *ret_fault,
		struct why *why)
{
	sl_auto(steer) s = calloc(1, sizeof(*s));
	int r;

	*ret = NULL;
	*ret_fault = (struct steer_fault){.step = NULL};
	if (s == NULL)
		return why_errno(why, ENOMEM, "steering");
	s->magic = STEER_MAGIC;
	last_words[0] = '\0';
	libbpf_set_print(keep_first_words);
	s->skel = steer_bpf__open();
	if (s->skel == NULL)
		return refuse(ret_fault, "open the steering program", errno, why);
	r = maps != NULL ? reuse_maps(s->skel, maps) : 0;
	if (r < 0)
		return refuse(ret_fault, "take over the steering maps", -r, why);
	r = steer_bpf__load(s->skel);
	if (r < 0)
		return refuse(ret_fault, find_failed_step(), -r, why);
	s->skel->bss->sluice_tune.n_cpus = count_cpus();
	if (maps == NULL)
		s->skel->bss->sluice_tune.stale_ns = UINT64_MAX >> 1;
	*ret = sl_steal(s);
	return 0;
}

void steer_free(struct steer *s)
{
	if (s == NULL)
		return;
	sl_check(s, STEER_MAGIC);
	steer_bpf__destroy(s->skel);
	s->magic = 0;
	free(s);
}

void steer_get_maps(const struct steer *s, struct steer_maps *ret)
{
	sl_check(s, STEER_MAGIC);
	*ret = (struct steer_maps){.board = bpf_map__fd(s->skel->maps.sluice_board),
			.socks = bpf_map__fd(s->skel->maps.sluice_socks),
			.groups = bpf_map__fd(s->skel->maps.sluice_groups),
			.tune = bpf_map__fd(s->skel->maps.bss)};
}

int steer_board_fd(const struct steer *s)
{
	sl_check(s, STEER_MAGIC);
	return bpf_map__fd(s->skel->maps.sluice_board);
}

int steer_array_fd(const struct steer *s)
{
	sl_check(s, STEER_MAGIC);
	return bpf_map__fd(s->skel->maps.sluice_socks);
}

/* ---- listeners ---- */

static int read_address(int fd, struct steer_address *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = {.any.sa_family = AF_UNSPEC};
	socklen_t n = sizeof(sa);

	*ret = (struct steer_address){.family = 0};
	if (getsockname(fd, &sa.any, &n) < 0)
		return -errno;
	ret->family = sa.any.sa_family;
	if (sa.any.sa_family == AF_INET) {
		ret->port = ntohs(sa.v4.sin_port);
		memcpy(ret->ip, &sa.v4.sin_addr, sizeof(sa.v4.sin_addr));
		return 0;
	}
	if (sa.any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	ret->port = ntohs(sa.v6.sin6_port);
	memcpy(ret->ip, &sa.v6.sin6_addr, sizeof(sa.v6.sin6_addr));
	return 0;
}

int steer_attach(struct steer *s, unsigned group, int fd, struct why *why)
{
	struct steer_address address;
	int program = bpf_program__fd(s->skel->progs.sluice_steer);
	int r;

	sl_check(s, STEER_MAGIC);
	sl_assert(group < STEER_GROUPS_MAX);
	r = read_address(fd, &address);
	if (r == 0 && bpf_map_update_elem(bpf_map__fd(s->skel->maps.sluice_groups), &address,
				      &group, BPF_ANY) < 0)
		r = -errno;
	if (r == 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program,
				      sizeof(program)) < 0)
		r = -errno;
	return r < 0 ? why_errno(why, -r, "cannot attach the steering program") : 0;
}

static uint32_t place_key(unsigned group, unsigned slot)
{
	sl_assert(group < STEER_GROUPS_MAX && slot < BOARD_SLOTS_MAX);
	return group * BOARD_SLOTS_MAX + slot;
}

int steer_place(struct steer *s, unsigned group, unsigned slot, int fd)
{
	uint32_t key = place_key(group, slot);
	uint64_t value = (uint64_t)fd;

	sl_check(s, STEER_MAGIC);
	if (bpf_map_update_elem(steer_array_fd(s), &key, &value, BPF_ANY) == 0)
		return 0;
	return errno == EBUSY ? STEER_E_BUSY : -errno;
}

static int delete_place(int array_fd, uint32_t key)
{
	if (bpf_map_delete_elem(array_fd, &key) == 0)
		return 0;
	return errno == ENOENT ? STEER_E_EMPTY : -errno;
}

int steer_remove(struct steer *s, unsigned group, unsigned slot)
{
	sl_check(s, STEER_MAGIC);
	return delete_place(steer_array_fd(s), place_key(group, slot));
}

/* The array tells a socket's cookie.  It may have another size than ours. */
static int delete_by_cookie(int array_fd, uint64_t cookie)
{
	struct bpf_map_info info = {.id = 0};
	uint32_t n = sizeof(info);
	uint64_t found;

	if (bpf_obj_get_info_by_fd(array_fd, &info, &n) < 0)
		return -errno;
	for (uint32_t key = 0; key < info.max_entries; key++) {
		if (bpf_map_lookup_elem(array_fd, &key, &found) == 0 && found == cookie)
			return delete_place(array_fd, key);
	}
	return STEER_E_EMPTY;
}

int steer_take(struct steer *s, unsigned group, unsigned slot, int fd, int old_array_fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0)
		return -errno;
	r = delete_by_cookie(old_array_fd, cookie);
	return r < 0 ? r : steer_place(s, group, slot, fd);
}

/* ---- knobs and counters ---- */

void steer_set_mode(struct steer *s, enum steer_mode mode)
{
	sl_check(s, STEER_MAGIC);
	sl_assert(mode < STEER_MODE_COUNT);
	s->skel->bss->sluice_tune.mode = mode;
}

void steer_set_stale_ms(struct steer *s, uint32_t stale_ms)
{
	sl_check(s, STEER_MAGIC);
	s->skel->bss->sluice_tune.stale_ns = (uint64_t)stale_ms * 1000000;
}

void steer_get_counts(const struct steer *s, struct steer_counts *ret)
{
	const volatile struct steer_counts *c = &s->skel->bss->sluice_counts;

	sl_check(s, STEER_MAGIC);
#define X(field, help) ret->field = c->field;
	STEER_COUNTS(X)
#undef X
}

/* ---- pins ---- */

static int pin_as(const char *dir, const char *name, int fd, struct why *why)
{
	sl_auto_mem char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return why_errno(why, ENOMEM, "pins");
	}
	if (bpf_obj_pin(fd, path) < 0)
		return why_errno(why, errno, "cannot pin %s", path);
	return 0;
}

int steer_pin(struct steer *s, const char *dir, struct why *why)
{
	const struct {
		const char *name;
		int fd;
	} rows[] = {{"steer", bpf_program__fd(s->skel->progs.sluice_steer)},
			{"board", steer_board_fd(s)}, {"socks", steer_array_fd(s)},
			{"groups", bpf_map__fd(s->skel->maps.sluice_groups)},
			{"counts", bpf_map__fd(s->skel->maps.bss)}};
	int r = 0;

	sl_check(s, STEER_MAGIC);
	for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		r = pin_as(dir, rows[i].name, rows[i].fd, why);
	return r;
}

int steer_pin_program(struct steer *s, const char *dir, struct why *why)
{
	sl_check(s, STEER_MAGIC);
	return pin_as(dir, "steer", bpf_program__fd(s->skel->progs.sluice_steer), why);
}
