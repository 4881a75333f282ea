/* SPDX-License-Identifier: Apache-2.0 */
#include "master/breakers.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "master/handover.h"

/* Workers only write to the memory; a count there says that something is new. */
#define LOOK_MS 200

struct breakers {
	struct breaker *memory;
	int fd;
	struct event *look;
	uint64_t changes; /* told so far */
	void (*changed)(void *arg);
	void *arg;
};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct breakers *b = arg;
	uint64_t now = breaker_changes(b->memory);

	(void)fd;
	(void)what;
	if (now == b->changes)
		return;
	b->changes = now;
	b->changed(b->arg);
}

int breakers_new(struct breakers **ret, struct event_base *base, const struct conf *conf,
		const struct handover *before, void (*changed)(void *arg), void *arg,
		struct why *why)
{
	const struct breaker_conf c = {conf->plugin_breaker_trips, conf->plugin_breaker_window_ms,
			conf->plugin_breaker_retry_ms};
	const struct timeval every = {.tv_usec = LOOK_MS * 1000};
	sl_auto(breakers) b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return why_errno(why, ENOMEM, "breakers");
	b->fd = -1;
	b->changed = changed;
	b->arg = arg;
	if (before != NULL) {
		b->fd = handover_take(before->breaker_fd);
		r = breaker_map(&b->memory, b->fd, &c, why);
	} else {
		r = breaker_create(&b->memory, &b->fd, &c, why);
	}
	if (r < 0)
		return r;
	b->look = event_new(base, -1, EV_PERSIST, on_look, b);
	if (b->look == NULL || event_add(b->look, &every) < 0)
		return why_errno(why, ENOMEM, "breakers");
	*ret = sl_steal(b);
	return 0;
}

void breakers_free(struct breakers *b)
{
	if (b == NULL)
		return;
	if (b->look != NULL)
		event_free(b->look);
	breaker_free(b->memory);
	sl_close_fd(&b->fd);
	free(b);
}

int breakers_fd(const struct breakers *b)
{
	return b->fd;
}

const struct breaker *breakers_memory(const struct breakers *b)
{
	return b->memory;
}
