/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts leave to another image of sluiced, and the order in which the old ones go.
 */
#include "master/handover.h"
#include "master/master_state.h"

/* Borrowed descriptors: they are closed with this image, or go on in the next. */
static bool collect(void *arg, struct handover *h)
{
	struct master *m = arg;
	bool is_done = counts_hand_over(m->counts, h);

	node_hand_over(m->node, h);
	status_hand_over(m->status, h);
	if (m->control != NULL)
		control_child_hand_over(m->control, h);
	if (m->workers == NULL)
		return is_done;
	h->dict_fd = m->dict_fd;
	h->lat_rows_fd = latency_rows_fd(m->latency);
	h->lat_names_fd = latency_names_fd(m->latency);
	h->traffic_fd = account_fd(m->account);
	h->breaker_fd = breakers_fd(m->breakers);
	supervise_hand_over(m->workers, h);
	return is_done && targets_hand_over(m->targets, h) &&
	       listeners_hand_over(m->listeners, h) && steering_hand_over(m->steering, h);
}

static bool is_busy(void *arg)
{
	struct master *m = arg;

	return m->follow != NULL && follow_is_busy(m->follow);
}

static void before_leap(void *arg)
{
	struct master *m = arg;

	if (m->follow != NULL)
		follow_drop_update(m->follow);
	if (m->workers != NULL)
		supervise_give_up_replacing(m->workers);
}

static void replace_workers(void *arg)
{
	struct master *m = arg;

	if (m->workers != NULL)
		supervise_restart(m->workers, SUPERVISE_ALL, NULL);
}

static void replace_control(void *arg)
{
	struct master *m = arg;

	if (m->control != NULL)
		control_child_restart(m->control);
}

static void progress(void *arg, uint32_t *ret_waiting, uint64_t *ret_done, uint64_t *ret_failed)
{
	const struct master *m = arg;
	struct supervise_replacements r = {.waiting = 0};

	if (m->workers != NULL)
		supervise_replacements(m->workers, &r);
	*ret_waiting = r.waiting;
	*ret_done = r.done;
	*ret_failed = r.failed;
}

const struct upgrade_events master_upgrade_events = {
		.collect = collect,
		.is_busy = is_busy,
		.before_leap = before_leap,
		.replace_workers = replace_workers,
		.replace_control = replace_control,
		.progress = progress,
};
