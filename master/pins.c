/* SPDX-License-Identifier: Apache-2.0 */
#include "master/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/handover.h"

#define PINS_MAGIC SL_MAGIC('P', 'I', 'N', 'S')
#define OWNER "owner"
/* A child of the last owner may hold its lock until it has exec'd. */
#define RELEASE_MS 500
#define RELEASE_POLL_US 5000

struct pins {
	uint32_t magic;
	int fd; /* the directory, locked */
	char *dir;
};

static int open_directory(struct pins *p, struct why *why)
{
	bool is_made = mkdir(p->dir, 0750) == 0;
	int err = is_made ? 0 : errno;
	struct statfs fs;

	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->fd < 0)
		return why_errno(why, err != 0 && err != EEXIST ? err : errno,
				"cannot use %s (is a BPF file system mounted there?)", p->dir);
	if (fstatfs(p->fd, &fs) < 0)
		return why_errno(why, errno, "%s", p->dir);
	if ((unsigned)fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (is_made)
		rmdir(p->dir);
	why_set(why, NULL, 0, "%s is not on a BPF file system (mount -t bpf bpf /sys/fs/bpf)",
			p->dir);
	return -EMEDIUMTYPE;
}

static int refuse_second(const struct pins *p, struct why *why)
{
	char owner[128] = "";
	ssize_t n = readlinkat(p->fd, OWNER, owner, sizeof(owner) - 1);

	owner[n > 0 ? n : 0] = '\0';
	why_set(why, "bpf_pin_dir", 0,
			"%s belongs to another node that runs (%s): give this one "
			"a directory of its own",
			p->dir, owner[0] != '\0' ? owner : "unknown");
	return -EBUSY;
}

static int lock_directory(const struct pins *p, struct why *why)
{
	uint64_t give_up_ms = clock_mono_ms() + RELEASE_MS;

	while (flock(p->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return why_errno(why, errno, "cannot lock %s", p->dir);
		if (clock_mono_ms() >= give_up_ms)
			return refuse_second(p, why);
		usleep(RELEASE_POLL_US);
	}
	return 0;
}

/* Calls nothing but unlink: directories in it are not ours. */
static unsigned remove_entries(const struct pins *p, bool is_dry)
{
	int fd = openat(p->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (!is_dry)
			unlinkat(p->fd, e->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static bool has_owner(const struct pins *p)
{
	struct stat st;

	return fstatat(p->fd, OWNER, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static int take_over(struct pins *p, const char *node_id, struct why *why)
{
	char owner[128];

	if (!has_owner(p) && remove_entries(p, true) != 0) {
		why_set(why, "bpf_pin_dir", 0,
				"%s holds what no node has pinned: give this one a "
				"directory of its own",
				p->dir);
		return -EEXIST;
	}
	remove_entries(p, false);
	snprintf(owner, sizeof(owner), "node=%s,pid=%d", node_id, (int)getpid());
	if (symlinkat(owner, p->fd, OWNER) < 0)
		return why_errno(why, errno, "cannot write to %s", p->dir);
	return 0;
}

int pins_open(struct pins **ret, const char *dir, const char *node_id, struct why *why)
{
	struct pins *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL || (p->dir = strdup(dir)) == NULL) {
		free(p);
		return why_errno(why, ENOMEM, "pins");
	}
	p->fd = -1;
	p->magic = PINS_MAGIC;
	r = open_directory(p, why);
	if (r == 0)
		r = lock_directory(p, why);
	if (r == 0)
		r = take_over(p, node_id, why);
	if (r == 0) {
		*ret = p;
		return 0;
	}
	/* not ours: leave it as it is */
	sl_close_fd(&p->fd);
	free(p->dir);
	free(p);
	return r;
}

int pins_adopt(struct pins **ret, const char *dir, int fd, struct why *why)
{
	struct pins *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->dir = strdup(dir)) == NULL) {
		free(p);
		return why_errno(why, ENOMEM, "pins");
	}
	p->magic = PINS_MAGIC;
	p->fd = handover_take(fd);
	if (p->fd < 0) {
		free(p->dir);
		free(p);
		return why_errno(why, EBADF, "pins");
	}
	*ret = p;
	return 0;
}

int pins_fd(const struct pins *p)
{
	return p->fd;
}

void pins_remove(const struct pins *p, const char *name)
{
	sl_check(p, PINS_MAGIC);
	unlinkat(p->fd, name, 0);
}

void pins_free(struct pins *p)
{
	if (p == NULL)
		return;
	sl_check(p, PINS_MAGIC);
	remove_entries(p, false);
	rmdir(p->dir);
	sl_close_fd(&p->fd);
	free(p->dir);
	p->magic = 0;
	free(p);
}

const char *pins_dir(const struct pins *p)
{
	sl_check(p, PINS_MAGIC);
	return p->dir;
}
