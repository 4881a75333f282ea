/* SPDX-License-Identifier: Apache-2.0
 *
 * Steering that outlives the image of sluiced that began it.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "master/handover.h"
#include "master/pins.h"
#include "master/steering_state.h"

/* The places of listeners stay as they are: only the program is another. */
static int adopt_program(struct steering *s, const struct handover *before, struct why *why)
{
	const struct steer_maps maps = {.board = before->board_fd,
			.socks = before->socks_fd,
			.groups = before->groups_fd,
			.tune = before->tune_fd};
	int r = steer_new_on(&s->program, &maps, &s->fault, why);

	if (r != 0)
		return r < 0 ? r : -ENOTSUP;
	steer_set_stale_ms(s->program, STEERING_STALE_MS);
	s->migration = "program";
	s->board_fd = steer_board_fd(s->program);
	return board_map(&s->board, s->board_fd, why);
}

static int adopt_memory(struct steering *s, const struct handover *before, struct why *why)
{
	s->migration = steering_read_migration();
	s->fault.err = (int)before->steering_errno;
	if (before->steering_step != NULL && before->steering_step[0] != '\0')
		s->fault.step = s->step = strdup(before->steering_step);
	if (before->steering_reason != NULL)
		why_set(&s->reason, NULL, 0, "%s", before->steering_reason);
	s->board_fd = handover_take(before->board_fd);
	if (s->board_fd < 0)
		return why_errno(why, -s->board_fd, "board");
	return board_map(&s->board, s->board_fd, why);
}

static void adopt_pins(struct steering *s, const struct handover *before)
{
	char text[1200];

	if (before->pins_fd < 0) {
		why_set(&s->unpinned, NULL, 0, "nothing was pinned when sluiced was started");
		return;
	}
	if (pins_adopt(&s->pins, s->conf->bpf_pin_dir, before->pins_fd, &s->unpinned) < 0)
		return;
	pins_remove(s->pins, "steer");
	if (steer_pin_program(s->program, s->conf->bpf_pin_dir, &s->unpinned) < 0)
		log_notice("the steering program is not pinned", "error=\"%s\"",
				why_text(&s->unpinned, text, sizeof(text)));
}

int steering_adopt(struct steering **ret, const struct conf *conf, const struct handover *before,
		struct why *why)
{
	sl_auto(steering) s = steering_make(conf);
	int r;

	if (s == NULL)
		return why_errno(why, ENOMEM, "steering");
	s->are_placed = before->has_program;
	s->wanted = before->steering_mode < STEER_MODE_COUNT
				    ? (enum steer_mode)before->steering_mode
				    : STEER_KERNEL;
	for (uint32_t i = 0; i < CONF_WORKERS_MAX; i++)
		s->slot_of[i] = i * BOARD_SEATS + before->workers[i].current;
	r = before->has_program ? adopt_program(s, before, why) : adopt_memory(s, before, why);
	if (r < 0)
		return r;
	if (s->program != NULL)
		adopt_pins(s, before);
	*ret = sl_steal(s);
	return 0;
}

bool steering_hand_over(const struct steering *s, struct handover *h)
{
	struct steer_maps maps;

	sl_check(s, STEERING_MAGIC);
	h->steering_mode = s->wanted;
	h->board_fd = s->board_fd;
	h->has_program = s->program != NULL;
	h->pins_fd = s->pins != NULL ? pins_fd(s->pins) : -1;
	if (s->program != NULL) {
		steer_get_maps(s->program, &maps);
		h->socks_fd = maps.socks;
		h->groups_fd = maps.groups;
		h->tune_fd = maps.tune;
	}
	h->steering_errno = (uint64_t)s->fault.err;
	return handover_set_text(&h->steering_reason, s->reason.text) &&
	       handover_set_text(&h->steering_step, s->fault.step != NULL ? s->fault.step : "");
}
