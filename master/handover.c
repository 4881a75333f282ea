/* SPDX-License-Identifier: Apache-2.0 */
#include "master/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/hex.h"

int handover_new(struct handover **ret)
{
	struct handover *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
#define X(name) h->name##_fd = -1;
	HANDOVER_FDS(X)
#undef X
	*ret = h;
	return 0;
}

void handover_free(struct handover *h)
{
	if (h == NULL)
		return;
#define X(name) free(h->name);
	HANDOVER_TEXTS(X)
#undef X
	for (size_t i = 0; i < h->n_same; i++) {
		free(h->same[i].name);
		free(h->same[i].value);
	}
	free(h->counts);
	free(h);
}

static char *copy_line(struct str s)
{
	return strndup(s.p != NULL ? s.p : "", s.n);
}

bool handover_set_text(char **field, const char *value)
{
	free(*field);
	*field = copy_line(str_head(str_of(value), strcspn(value, "\n")));
	return *field != NULL;
}

bool handover_put_same(struct handover *h, struct str name, struct str value)
{
	struct handover_same *s = &h->same[h->n_same];

	if (h->n_same == HANDOVER_SAME_MAX)
		return false;
	*s = (struct handover_same){copy_line(name), copy_line(value)};
	h->n_same++;
	return s->name != NULL && s->value != NULL;
}

bool handover_add_same(struct handover *h, const char *name, const char *value)
{
	return handover_put_same(h, str_of(name), str_head(str_of(value), strcspn(value, "\n")));
}

/* Room doubles at each power of two. */
struct handover_count *handover_add_count(struct handover *h)
{
	struct handover_count *grown;

	if (h->n_counts == HANDOVER_COUNTS_MAX)
		return NULL;
	if ((h->n_counts & (h->n_counts - 1)) == 0) {
		grown = realloc(h->counts,
				(h->n_counts == 0 ? 1 : 2 * h->n_counts) * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		h->counts = grown;
	}
	grown = &h->counts[h->n_counts++];
	*grown = (struct handover_count){.slot = HANDOVER_PAST};
	return grown;
}

/* ---- writing ---- */

static void write_count(const struct handover_count *c, struct buf *out)
{
	char hex[65];

	if (strpbrk(c->total.plugin, " \n") != NULL || c->total.plugin[0] == '\0')
		return;
	hex_encode(c->version, sizeof(c->version), hex);
	buf_printf(out, "count %s ", c->total.plugin);
	if (c->slot == HANDOVER_PAST)
		buf_printf(out, "- %s", hex);
	else
		buf_printf(out, "%u %s", c->slot, hex);
#define X(field, type, help) buf_printf(out, " " #field "=%" PRIu64, c->total.field);
	COUNTS_TABLE(X)
#undef X
	buf_printf(out, "\n");
}

static void write_drains(const struct handover *h, struct buf *out)
{
	for (size_t i = 0; i < h->n_drains; i++) {
		const struct handover_drain *d = &h->drains[i];

		if (d->worker == HANDOVER_NODE)
			buf_printf(out, "drain - %" PRIu64 " %u\n", d->since_ms, d->timeout_ms);
		else
			buf_printf(out, "drain %u %" PRIu64 " %u\n", d->worker, d->since_ms,
					d->timeout_ms);
	}
}

static void write_lists(const struct handover *h, struct buf *out)
{
	for (size_t i = 0; i < h->n_same; i++)
		buf_printf(out, "same %s %s\n", h->same[i].name, h->same[i].value);
	for (size_t i = 0; i < h->n_listeners; i++)
		buf_printf(out, "listener %u %u %d\n", h->listeners[i].worker,
				h->listeners[i].address, h->listeners[i].fd);
	for (size_t i = 0; i < h->n_status; i++)
		buf_printf(out, "status %d\n", h->status[i]);
	for (size_t i = 0; i < h->n_seats; i++) {
		const struct handover_seat *s = &h->seats[i];

		buf_printf(out, "seat %u %d %d %d %d %d %d %u %" PRIu64 " %" PRIu64 " %u\n",
				s->slot, (int)s->pid, s->channel, s->wake, s->is_ready,
				s->is_draining, s->has_served, s->starts, s->generation,
				s->started_ms, s->drain_ms);
	}
	for (uint32_t i = 0; i < CONF_WORKERS_MAX; i++) {
		const struct handover_worker *w = &h->workers[i];

		if (w->current != 0 || w->is_added || w->held_until_ms != 0)
			buf_printf(out, "worker %u %u %d %" PRIu64 "\n", i, w->current, w->is_added,
					w->held_until_ms);
	}
	write_drains(h, out);
	for (size_t i = 0; i < h->n_counts; i++)
		write_count(&h->counts[i], out);
}

void handover_write(const struct handover *h, struct buf *out)
{
	buf_printf(out, "sluice-handover %d\n", HANDOVER_FORMAT);
#define X(name) \
	if (h->name != NULL) \
		buf_printf(out, "text " #name " %s\n", h->name);
	HANDOVER_TEXTS(X)
#undef X
#define X(name) \
	if (h->name != 0) \
		buf_printf(out, "number " #name " %" PRIu64 "\n", h->name);
	HANDOVER_NUMBERS(X)
#undef X
#define X(name) \
	if (h->name##_fd >= 0) \
		buf_printf(out, "fd " #name " %d\n", h->name##_fd);
	HANDOVER_FDS(X)
#undef X
	write_lists(h, out);
	buf_printf(out, "end\n");
}

/* ---- the memfd ---- */

int handover_to_fd(const struct handover *h, struct why *why)
{
	sl_auto_fd int fd = memfd_create("handover", MFD_CLOEXEC);
	sl_auto_buf text = {.p = NULL};

	if (fd < 0)
		return why_errno(why, errno, "handover");
	handover_write(h, &text);
	if (text.is_failed)
		return why_errno(why, ENOMEM, "handover");
	if (text.n > HANDOVER_BYTES_MAX)
		return why_errno(why, E2BIG, "handover");
	if (pwrite(fd, text.p, text.n, 0) != (ssize_t)text.n)
		return why_errno(why, errno, "handover");
	return sl_steal_fd(&fd);
}

int handover_from_fd(struct handover **ret, int fd, struct why *why)
{
	sl_auto_mem char *text = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return why_errno(why, errno, "handover");
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || st.st_size > (off_t)HANDOVER_BYTES_MAX)
		return handover_parse(ret, STR_NONE, why);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return why_errno(why, ENOMEM, "handover");
	if (pread(fd, text, (size_t)st.st_size, 0) != (ssize_t)st.st_size)
		return why_errno(why, EIO, "handover");
	return handover_parse(ret, (struct str){text, (size_t)st.st_size}, why);
}

/* ---- its descriptors ---- */

typedef int each_fd_fn(int fd);

static int each_fd(const struct handover *h, each_fd_fn *fn)
{
	int r = 0;

#define X(name) \
	if (h->name##_fd >= 0 && fn(h->name##_fd) < 0) \
		r = -errno;
	HANDOVER_FDS(X)
#undef X
	for (size_t i = 0; i < h->n_listeners; i++)
		r = fn(h->listeners[i].fd) < 0 ? -errno : r;
	for (size_t i = 0; i < h->n_status; i++)
		r = fn(h->status[i]) < 0 ? -errno : r;
	for (size_t i = 0; i < h->n_seats; i++) {
		if (h->seats[i].channel >= 0 && fn(h->seats[i].channel) < 0)
			r = -errno;
		if (h->seats[i].wake >= 0 && fn(h->seats[i].wake) < 0)
			r = -errno;
	}
	return r;
}

static int keep_over_exec(int fd)
{
	return fcntl(fd, F_SETFD, 0);
}

static int drop_at_exec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int handover_let_inherit(const struct handover *h, bool is_inherited, struct why *why)
{
	int r = each_fd(h, is_inherited ? keep_over_exec : drop_at_exec);

	return r < 0 ? why_errno(why, -r, "a descriptor of the handover") : 0;
}

void handover_close(const struct handover *h)
{
	each_fd(h, close);
}

int handover_take(int fd)
{
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	return copy >= 0 ? copy : fd >= 0 ? -errno : -EBADF;
}

const struct handover_seat *handover_seat(const struct handover *h, uint32_t slot)
{
	for (size_t i = 0; i < h->n_seats; i++) {
		if (h->seats[i].slot == slot)
			return &h->seats[i];
	}
	return NULL;
}
