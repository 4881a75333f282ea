/* SPDX-License-Identifier: Apache-2.0
 *
 * Workers that outlive the image of sluiced that started them.
 */
#include <errno.h>
#include <signal.h>

#include "base/check.h"
#include "master/handover.h"
#include "master/supervise_state.h"

static int adopt_counters(struct supervise *v, const struct handover *h, struct why *why)
{
	int r;

	v->shared.stat_fd = handover_take(h->stat_fd);
	if (v->shared.stat_fd < 0)
		return why_errno(why, -v->shared.stat_fd, "counters");
	r = stat_map(&v->shared.stat, v->shared.stat_fd, why);
	if (r == 0 && v->shared.stat->n_slots != supervise_slots(v)) {
		why_set(why, NULL, 0, "the counters have %u slots, not %u", v->shared.stat->n_slots,
				supervise_slots(v));
		return -EPROTO;
	}
	return r;
}

static int adopt_seat(struct supervise *v, const struct handover_seat *s, struct why *why)
{
	struct worker *w;
	struct seat *seat;
	int r;

	if (s->slot >= supervise_slots(v)) {
		why_set(why, NULL, 0, "there is no slot %u", s->slot);
		return -EPROTO;
	}
	w = &v->workers[s->slot / BOARD_SEATS];
	seat = w->seats[s->slot % BOARD_SEATS];
	r = seat_adopt(seat, s, why);
	/* a replacement that was about to start, of a program that is no longer wanted */
	if (r == 0 && seat != seat_now(w) && !s->is_ready && !s->is_draining)
		seat_end(seat, SIGKILL);
	return r;
}

static void adopt_worker(struct worker *w, const struct handover_worker *before)
{
	w->current = before->current;
	w->is_added = before->is_added;
	w->held_until_ms = before->held_until_ms;
}

int supervise_adopt(struct supervise *v, const struct handover *h, struct why *why)
{
	int r = adopt_counters(v, h, why);

	v->n_ever = (uint32_t)h->n_ever;
	v->n_replaced = h->n_replaced;
	v->n_failed = h->n_failed;
	for (uint32_t i = 0; i < v->shared.conf.workers_max; i++)
		adopt_worker(&v->workers[i], &h->workers[i]);
	for (size_t i = 0; r == 0 && i < h->n_seats; i++)
		r = adopt_seat(v, &h->seats[i], why);
	for (size_t i = 0; r == 0 && i < h->n_drains; i++)
		supervise_adopt_drain(v, &h->drains[i]);
	for (uint32_t i = 0; r == 0 && i < v->shared.conf.workers_max; i++) {
		seat_hold(seat_now(&v->workers[i]), v->workers[i].held_until_ms != 0);
		supervise_settle(v, &v->workers[i]);
	}
	supervise_arm_holds(v);
	return r;
}

void supervise_give_up_replacing(struct supervise *v)
{
	struct worker *w = v->starting;

	sl_check(v, SUPERVISE_MAGIC);
	if (w == NULL)
		return;
	supervise_end_overlap(v);
	seat_end(seat_other(w), SIGKILL);
	w->wants_restart = true;
}

void supervise_hand_over(const struct supervise *v, struct handover *h)
{
	sl_check(v, SUPERVISE_MAGIC);
	h->stat_fd = v->shared.stat_fd;
	h->n_workers = v->n_workers;
	h->n_ever = v->n_ever;
	h->n_replaced = v->n_replaced;
	h->n_failed = v->n_failed;
	for (uint32_t i = 0; i < v->shared.conf.workers_max; i++)
		h->workers[i] = (struct handover_worker){(uint8_t)v->workers[i].current,
				v->workers[i].is_added, v->workers[i].held_until_ms};
	supervise_hand_over_drains(v, h);
	h->n_seats = 0;
	for (uint32_t i = 0; i < supervise_slots(v); i++) {
		const struct seat *s = v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS];

		h->n_seats += seat_hand_over(s, &h->seats[h->n_seats]);
	}
}
