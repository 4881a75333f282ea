/* SPDX-License-Identifier: Apache-2.0
 *
 * The twin of steer.c in a build --without-bpf: there is never a struct steer.
 */
#include "ebpf/steer.h"

#include <errno.h>

#include "base/check.h"

int steer_new(struct steer **ret, struct steer_fault *ret_fault, struct why *why)
{
	*ret = NULL;
	*ret_fault = (struct steer_fault){"build", ENOSYS};
	why_set(why, NULL, 0, "this sluiced was built --without-bpf");
	return STEER_E_UNAVAILABLE;
}

int steer_new_on(struct steer **ret, const struct steer_maps *maps, struct steer_fault *ret_fault,
		struct why *why)
{
	(void)maps;
	return steer_new(ret, ret_fault, why);
}

void steer_get_maps(const struct steer *s, struct steer_maps *ret)
{
	(void)s;
	*ret = (struct steer_maps){-1, -1, -1, -1};
}

void steer_free(struct steer *s)
{
	sl_assert(s == NULL);
}

int steer_board_fd(const struct steer *s)
{
	(void)s;
	return -1;
}

int steer_attach(struct steer *s, unsigned group, int fd, struct why *why)
{
	(void)s, (void)group, (void)fd;
	return why_errno(why, ENOSYS, "steering");
}

int steer_place(struct steer *s, unsigned group, unsigned slot, int fd)
{
	(void)s, (void)group, (void)slot, (void)fd;
	return -ENOSYS;
}

int steer_remove(struct steer *s, unsigned group, unsigned slot)
{
	(void)s, (void)group, (void)slot;
	return -ENOSYS;
}

int steer_take(struct steer *s, unsigned group, unsigned slot, int fd, int old_array_fd)
{
	(void)s, (void)group, (void)slot, (void)fd, (void)old_array_fd;
	return -ENOSYS;
}

int steer_array_fd(const struct steer *s)
{
	(void)s;
	return -1;
}

void steer_set_mode(struct steer *s, enum steer_mode mode)
{
	(void)s, (void)mode;
}

void steer_set_stale_ms(struct steer *s, uint32_t stale_ms)
{
	(void)s, (void)stale_ms;
}

void steer_get_counts(const struct steer *s, struct steer_counts *ret)
{
	(void)s;
	*ret = (struct steer_counts){.chosen = 0};
}

int steer_pin(struct steer *s, const char *dir, struct why *why)
{
	(void)s, (void)dir;
	return why_errno(why, ENOSYS, "steering");
}

int steer_pin_program(struct steer *s, const char *dir, struct why *why)
{
	return steer_pin(s, dir, why);
}
