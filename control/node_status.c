/* SPDX-License-Identifier: Apache-2.0 */
#include "control/node_status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/cleanup.h"

#define ANSWER_MAX (64U << 20)

struct question {
	struct bufferevent *bev;
	void (*done)(void *arg, json_t *body);
	void (*done_text)(void *arg, struct str text); /* or this */
	void *arg;
};

static void question_end(struct question *q, struct str text)
{
	struct question asked = *q;
	json_t *body = NULL;

	free(q);
	if (asked.done_text != NULL) {
		asked.done_text(asked.arg, text);
	} else {
		body = text.p != NULL ? json_loadb(text.p, text.n, 0, NULL) : NULL;
		asked.done(asked.arg, body);
		json_decref(body);
	}
	if (asked.bev != NULL)
		bufferevent_free(asked.bev);
}

/* HTTP/1.0: the answer ends with the connection. */
static struct str read_answer(struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in);
	const char *p = (const char *)evbuffer_pullup(in, -1);
	const char *body = p != NULL ? memmem(p, n, "\r\n\r\n", 4) : NULL;

	if (body == NULL || n < 12 || memcmp(p + 8, " 200", 4) != 0)
		return STR_NONE;
	return (struct str){body + 4, n - (size_t)(body + 4 - p)};
}

static void readable(struct bufferevent *bev, void *arg)
{
	if (evbuffer_get_length(bufferevent_get_input(bev)) > ANSWER_MAX)
		question_end(arg, STR_NONE);
}

static void ended(struct bufferevent *bev, short what, void *arg)
{
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	question_end(arg, (what & BEV_EVENT_EOF) != 0 ? read_answer(bufferevent_get_input(bev))
						      : STR_NONE);
}

static void ask(struct event_base *base, const struct conf *conf, const char *method,
		const char *path, const struct question *asked)
{
	struct question *q = malloc(sizeof(*q));
	sl_auto_mem char *file = conf_path(conf, "sluiced.sock");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = 2};

	if (q == NULL) {
		if (asked->done_text != NULL)
			asked->done_text(asked->arg, STR_NONE);
		else
			asked->done(asked->arg, NULL);
		return;
	}
	*q = *asked;
	if (file == NULL || strlen(file) >= sizeof(sun.sun_path)) {
		question_end(q, STR_NONE);
		return;
	}
	memcpy(sun.sun_path, file, strlen(file));
	q->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (q->bev == NULL) {
		question_end(q, STR_NONE);
		return;
	}
	bufferevent_setcb(q->bev, readable, NULL, ended, q);
	bufferevent_set_timeouts(q->bev, &limit, &limit);
	bufferevent_enable(q->bev, EV_READ | EV_WRITE);
	evbuffer_add_printf(bufferevent_get_output(q->bev),
			"%s %s HTTP/1.0\r\nHost: sluiced\r\nContent-Length: 0\r\n\r\n", method,
			path);
	if (bufferevent_socket_connect(q->bev, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		question_end(q, STR_NONE);
}

void node_status_get(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, json_t *body), void *arg)
{
	ask(base, conf, "GET", path, &(struct question){.done = done, .arg = arg});
}

void node_status_post(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, json_t *body), void *arg)
{
	ask(base, conf, "POST", path, &(struct question){.done = done, .arg = arg});
}

void node_status_text(struct event_base *base, const struct conf *conf, const char *path,
		void (*done)(void *arg, struct str text), void *arg)
{
	ask(base, conf, "GET", path, &(struct question){.done_text = done, .arg = arg});
}
