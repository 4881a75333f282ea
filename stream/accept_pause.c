/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/accept_pause.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <event2/listener.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#define PAUSE_MS 200
#define SAY_AGAIN_MS 10000

struct accept_pause {
	uint32_t magic;
	struct evhttp *http;
	struct event *resume;
	const char *name;
	uint64_t said_ms;
	LIST_ENTRY(accept_pause) entry;
};
#define ACCEPT_PAUSE_MAGIC SL_MAGIC('A', 'C', 'P', 'S')

/* The argument of a listener's error callback is evhttp's own, so that the pause is looked up. */
static LIST_HEAD(, accept_pause) pauses = LIST_HEAD_INITIALIZER(pauses);

struct search {
	const struct evconnlistener *listener;
	bool is_found;
};

static void compare(struct evhttp_bound_socket *socket, void *arg)
{
	struct search *s = arg;

	s->is_found |= evhttp_bound_socket_get_listener(socket) == s->listener;
}

static struct accept_pause *pause_of(const struct evconnlistener *listener)
{
	struct search s = {.listener = listener};
	struct accept_pause *p;

	LIST_FOREACH(p, &pauses, entry)
	{
		evhttp_foreach_bound_socket(p->http, compare, &s);
		if (s.is_found)
			return p;
	}
	return NULL;
}

static void on_error(struct evconnlistener *listener, void *arg)
{
	struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
	struct accept_pause *p = pause_of(listener);
	uint64_t now = clock_mono_ms();

	(void)arg;
	if (p == NULL)
		return;
	if (p->said_ms == 0 || now - p->said_ms >= SAY_AGAIN_MS) {
		log_warn("cannot accept connections", "listener=%s error=\"%s\"", p->name,
				evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
		p->said_ms = now;
	}
	evconnlistener_disable(listener);
	evtimer_add(p->resume, &tv);
}

static void watch(struct evhttp_bound_socket *socket, void *arg)
{
	(void)arg;
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(socket), on_error);
}

static void enable(struct evhttp_bound_socket *socket, void *arg)
{
	(void)arg;
	evconnlistener_enable(evhttp_bound_socket_get_listener(socket));
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct accept_pause *p = arg;

	(void)fd;
	(void)what;
	sl_check(p, ACCEPT_PAUSE_MAGIC);
	evhttp_foreach_bound_socket(p->http, enable, NULL);
}

int accept_pause_new(struct accept_pause **ret, struct event_base *base, struct evhttp *http,
		const char *name, struct why *why)
{
	struct accept_pause *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return why_errno(why, ENOMEM, "%s", name);
	p->magic = ACCEPT_PAUSE_MAGIC;
	p->http = http;
	p->name = name;
	p->resume = evtimer_new(base, on_resume, p);
	if (p->resume == NULL) {
		free(p);
		return why_errno(why, ENOMEM, "%s", name);
	}
	LIST_INSERT_HEAD(&pauses, p, entry);
	evhttp_foreach_bound_socket(http, watch, NULL);
	*ret = p;
	return 0;
}

void accept_pause_free(struct accept_pause *p)
{
	if (p == NULL)
		return;
	sl_check(p, ACCEPT_PAUSE_MAGIC);
	LIST_REMOVE(p, entry);
	event_free(p->resume);
	p->magic = 0;
	free(p);
}
