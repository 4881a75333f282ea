/* SPDX-License-Identifier: Apache-2.0 */
#include "master/fdstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

struct kept {
	int fd; /* -1: taken */
	char name[FDSTORE_NAME_MAX];
};

struct fdstore {
	size_t n;
	struct kept kept[];
};

static void free_names(char **names, int n)
{
	for (int i = 0; names != NULL && i < n; i++)
		free(names[i]);
	free(names);
}

int fdstore_inherit(struct fdstore **ret)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	struct fdstore *s;

	/* of another process, or nonsense: there is none for us */
	n = n > 0 ? n : 0;
	s = calloc(1, sizeof(*s) + (size_t)n * sizeof(s->kept[0]));
	if (s == NULL) {
		free_names(names, n);
		return -ENOMEM;
	}
	s->n = (size_t)n;
	for (int i = 0; i < n; i++) {
		s->kept[i].fd = SD_LISTEN_FDS_START + i;
		snprintf(s->kept[i].name, sizeof(s->kept[i].name), "%s",
				names != NULL ? names[i] : "");
	}
	free_names(names, n);
	*ret = s;
	return 0;
}

void fdstore_free(struct fdstore *s)
{
	for (size_t i = 0; s != NULL && i < s->n; i++)
		sl_close_fd(&s->kept[i].fd);
	free(s);
}

static bool is_candidate(const struct kept *k, const char *prefix, fdstore_wanted_fn *is_wanted,
		const void *arg)
{
	return k->fd >= 0 && strncmp(k->name, prefix, strlen(prefix)) == 0 &&
	       (is_wanted == NULL || is_wanted(arg, k->fd));
}

void fdstore_discard(struct fdstore *s, const char *prefix)
{
	char quoted[4 * FDSTORE_NAME_MAX];

	for (size_t i = 0; s != NULL && i < s->n; i++) {
		struct kept *k = &s->kept[i];

		if (!is_candidate(k, prefix, NULL, NULL))
			continue;
		log_notice("a descriptor kept by systemd is of no use now: closed", "fd=%d name=%s",
				k->fd, log_quote(quoted, sizeof(quoted), str_of(k->name)));
		close(sl_steal_fd(&k->fd));
		if (k->name[0] != '\0')
			fdstore_drop(k->name);
	}
}

int fdstore_take(struct fdstore *s, const char *prefix, fdstore_wanted_fn *is_wanted,
		const void *arg, char ret_name[FDSTORE_NAME_MAX])
{
	struct kept *first = NULL;

	for (size_t i = 0; s != NULL && i < s->n; i++) {
		if (is_candidate(&s->kept[i], prefix, is_wanted, arg) &&
				(first == NULL || strcmp(s->kept[i].name, first->name) < 0))
			first = &s->kept[i];
	}
	if (first == NULL)
		return -1;
	memcpy(ret_name, first->name, FDSTORE_NAME_MAX);
	return sl_steal_fd(&first->fd);
}

size_t fdstore_count(const struct fdstore *s, const char *prefix, fdstore_wanted_fn *is_wanted,
		const void *arg)
{
	size_t n = 0;

	for (size_t i = 0; s != NULL && i < s->n; i++)
		n += is_candidate(&s->kept[i], prefix, is_wanted, arg);
	return n;
}

/* FDPOLL=0: a map cannot be polled, and systemd would drop it. */
void fdstore_keep(int fd, const char *name)
{
	char state[128];

	snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

void fdstore_drop(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static bool name_listener(int fd, uint32_t worker, char ret[FDSTORE_NAME_MAX])
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0)
		return false;
	snprintf(ret, FDSTORE_NAME_MAX, FDSTORE_LISTENER "%03u-%" PRIx64, worker, cookie);
	return true;
}

void fdstore_keep_listener(int fd, uint32_t worker)
{
	char name[FDSTORE_NAME_MAX];

	if (name_listener(fd, worker, name))
		fdstore_keep(fd, name);
}

void fdstore_drop_listener(int fd, uint32_t worker)
{
	char name[FDSTORE_NAME_MAX];

	if (name_listener(fd, worker, name))
		fdstore_drop(name);
}

/* One that is kept already would keep its old name. */
void fdstore_rename_listener(int fd, uint32_t worker, const char *name)
{
	char wanted[FDSTORE_NAME_MAX];

	if (!name_listener(fd, worker, wanted) || strcmp(wanted, name) == 0)
		return;
	fdstore_drop(name);
	fdstore_keep(fd, wanted);
}
