/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "ebpf/latmap.h"

int latmap_new(struct latmap **ret, struct lat_shape shape, const char *const phases[],
		struct why *why)
{
	(void)ret;
	(void)phases;
	(void)shape;
	why_set(why, NULL, 0, "built --without-bpf");
	return LATMAP_E_UNAVAILABLE;
}

void latmap_free(struct latmap *m)
{
	(void)m;
}

int latmap_rows_fd(const struct latmap *m)
{
	(void)m;
	return -1;
}

int latmap_names_fd(const struct latmap *m)
{
	(void)m;
	return -1;
}

int latmap_pin(struct latmap *m, const char *dir, const struct latmap_access *access,
		bool *ret_has_iterator, struct why *why)
{
	(void)m;
	(void)dir;
	(void)access;
	*ret_has_iterator = false;
	why_set(why, NULL, 0, "built --without-bpf");
	return -ENOTSUP;
}
