/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/beat.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"

#define BEAT_MAGIC SL_MAGIC('B', 'E', 'A', 'T')
#define INTERVAL_MIN_MS 50U
#define INTERVAL_MAX_MS 600000U
#define MISSED_MAX 3U
#define STALLED_MAX 6U
#define LATE_MAX 2U

struct beat {
	uint32_t magic;
	struct grpc_link *link;
	struct event *tick;
	beat_send_fn *send;
	void *arg;
	uint64_t sequence;
	uint64_t ticked_ms;  /* the tick before */
	uint64_t excused_ms; /* silence before this was our own fault */
	uint32_t interval_ms;
};

/* How long something has been so since then_ms, less what we slept through ourselves: what
 * came meanwhile is not read yet. */
static uint64_t silence_ms(const struct beat *b, uint64_t then_ms)
{
	uint64_t from = then_ms > b->excused_ms ? then_ms : b->excused_ms;

	return b->ticked_ms > from ? b->ticked_ms - from : 0;
}

static void beat_tick(evutil_socket_t fd, short what, void *arg)
{
	struct beat *b = arg;
	uint64_t now = clock_mono_ms();
	char text[96];

	(void)fd;
	(void)what;
	sl_check(b, BEAT_MAGIC);
	if (now - b->ticked_ms > (uint64_t)b->interval_ms * LATE_MAX)
		b->excused_ms = now;
	b->ticked_ms = now;
	if (silence_ms(b, grpc_link_heard_ms(b->link)) > (uint64_t)b->interval_ms * MISSED_MAX) {
		snprintf(text, sizeof(text),
				"no sign of life from the other side for %u heartbeats",
				MISSED_MAX);
		grpc_link_kill(b->link, text);
		return;
	}
	if (grpc_link_queued(b->link) == 0) {
		b->send(b->arg, ++b->sequence);
		return;
	}
	/* What waits is a better sign of life than a heartbeat behind it. */
	if (silence_ms(b, grpc_link_sent_ms(b->link)) > (uint64_t)b->interval_ms * STALLED_MAX)
		grpc_link_kill(b->link, "the other side does not read what it is sent");
}

int beat_new(struct beat **ret, struct event_base *base, struct grpc_link *l, beat_send_fn *send,
		void *arg)
{
	sl_auto(beat) b = calloc(1, sizeof(*b));

	if (b == NULL)
		return -ENOMEM;
	*b = (struct beat){.magic = BEAT_MAGIC, .link = l, .send = send, .arg = arg};
	b->tick = event_new(base, -1, EV_PERSIST, beat_tick, b);
	if (b->tick == NULL)
		return -ENOMEM;
	*ret = sl_steal(b);
	return 0;
}

void beat_free(struct beat *b)
{
	if (b == NULL)
		return;
	sl_check(b, BEAT_MAGIC);
	if (b->tick != NULL)
		event_free(b->tick);
	b->magic = 0;
	free(b);
}

void beat_start(struct beat *b, uint32_t interval_ms)
{
	uint32_t ms = interval_ms < INTERVAL_MIN_MS   ? INTERVAL_MIN_MS
		      : interval_ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS
						      : interval_ms;
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	sl_check(b, BEAT_MAGIC);
	b->interval_ms = ms;
	b->ticked_ms = clock_mono_ms();
	event_add(b->tick, &tv);
}
