/* SPDX-License-Identifier: Apache-2.0 */
#include "master/node.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "master/handover.h"
#include "master/own_certificate.h"

/* A child of a master that was killed may hold the lock for the moment it takes to die. */
#define RELEASE_MS 500
#define RELEASE_POLL_US 5000

/* mkdir -p; only the last component is ours. */
static int make_directories(const char *path, struct why *why)
{
	sl_auto_mem char *p = strdup(path);

	if (p == NULL)
		return why_errno(why, ENOMEM, "prefix");
	for (char *at = strchr(p + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			return why_errno(why, errno, "prefix: cannot create %s", p);
		*at = '/';
	}
	if (mkdir(p, 0750) < 0 && errno != EEXIST)
		return why_errno(why, errno, "prefix: cannot create %s", p);
	return 0;
}

static int find_worker_group(struct node *n, struct why *why)
{
	const struct passwd *pw;

	n->worker_gid = (gid_t)-1;
	if (geteuid() != 0)
		return 0;
	pw = getpwnam(n->conf->worker_user);
	if (pw == NULL) {
		why_set(why, "worker_user", 0, "there is no user \"%s\"", n->conf->worker_user);
		return -EINVAL;
	}
	n->worker_gid = pw->pw_gid;
	return 0;
}

static int prepare_prefix(const struct node *n, struct why *why)
{
	const char *prefix = n->conf->prefix;
	struct stat st;
	int r = make_directories(prefix, why);

	if (r < 0)
		return r;
	if (stat(prefix, &st) < 0)
		return why_errno(why, errno, "prefix %s", prefix);
	if (!S_ISDIR(st.st_mode)) {
		why_set(why, "prefix", 0, "%s is not a directory", prefix);
		return -ENOTDIR;
	}
	if ((st.st_mode & S_IWOTH) != 0) {
		why_set(why, "prefix", 0, "%s is writable by everybody: chmod o-w it", prefix);
		return -EPERM;
	}
	if (n->worker_gid != (gid_t)-1 && st.st_gid != n->worker_gid &&
			chown(prefix, (uid_t)-1, n->worker_gid) < 0)
		return why_errno(
				why, errno, "prefix: cannot give %s to the workers' group", prefix);
	return 0;
}

static int refuse_second(int fd, const char *prefix, struct why *why)
{
	char pid[24] = "";
	ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[got > 0 ? got : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	why_set(why, "prefix", 0,
			"another sluiced (pid %s) already runs on %s: stop it, or give this one "
			"its own "
			"prefix",
			pid[0] != '\0' ? pid : "unknown", prefix);
	return -EBUSY;
}

/* The file may have been removed by its owner between our open and our lock. */
static bool is_still_there(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

/* One try.  -EWOULDBLOCK: somebody holds it; *ret is open then, too. */
static int try_lock(const char *path, int *ret)
{
	*ret = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (*ret < 0)
		return -errno;
	if (flock(*ret, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return is_still_there(*ret, path) ? 0 : -EWOULDBLOCK;
}

static int lock_file(struct node *n, const char *path, struct why *why)
{
	uint64_t give_up_ms = clock_mono_ms() + RELEASE_MS;
	int r;

	while ((r = try_lock(path, &n->pid_fd)) == -EWOULDBLOCK && clock_mono_ms() < give_up_ms) {
		close(n->pid_fd);
		usleep(RELEASE_POLL_US);
	}
	if (r == 0)
		return 0;
	r = r == -EWOULDBLOCK ? refuse_second(n->pid_fd, n->conf->prefix, why)
			      : why_errno(why, -r, "cannot lock %s", path);
	sl_close_fd(&n->pid_fd);
	n->pid_fd = -1;
	return r;
}

static int take_lock(struct node *n, struct why *why)
{
	sl_auto_mem char *path = conf_path(n->conf, "sluiced.pid");
	char pid[24];
	int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	int r;

	if (path == NULL)
		return why_errno(why, ENOMEM, "sluiced.pid");
	r = lock_file(n, path, why);
	if (r < 0)
		return r;
	if (ftruncate(n->pid_fd, 0) < 0 || pwrite(n->pid_fd, pid, (size_t)len, 0) != len)
		return why_errno(why, errno, "cannot write %s", path);
	return 0;
}

static int make_id(struct node *n, const char *path, struct why *why)
{
	sl_auto_mem char *fresh = NULL;
	sl_auto_fd int fd = -1;

	uuid_make(n->id);
	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return why_errno(why, ENOMEM, "node.id");
	}
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || dprintf(fd, "%s\n", n->id) < 0 || fsync(fd) < 0 || rename(fresh, path) < 0)
		return why_errno(why, errno, "cannot write %s", path);
	return 0;
}

static int load_id(struct node *n, struct why *why)
{
	sl_auto_mem char *path = conf_path(n->conf, "node.id");
	sl_auto_fd int fd = -1;
	ssize_t got;

	if (path == NULL)
		return why_errno(why, ENOMEM, "node.id");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? make_id(n, path, why)
				       : why_errno(why, errno, "cannot read %s", path);
	got = read(fd, n->id, sizeof(n->id) - 1);
	n->id[got > 0 ? got : 0] = '\0';
	if (!uuid_is_valid(str_of(n->id))) {
		why_set(why, "node.id", 0,
				"%s does not hold a UUID: remove it to give the node a new id",
				path);
		return -EINVAL;
	}
	return 0;
}

static int adopt_lock(struct node *n, const struct handover *before, struct why *why)
{
	sl_auto_mem char *path = conf_path(n->conf, "sluiced.pid");

	n->started_ms = before->started_ms;
	n->pid_fd = handover_take(before->lock_fd);
	if (n->pid_fd < 0 || path == NULL || !is_still_there(n->pid_fd, path))
		return why_errno(why, EBADF, "the lock of prefix");
	return 0;
}

void node_hand_over(const struct node *n, struct handover *h)
{
	h->lock_fd = n->pid_fd;
	h->started_ms = n->started_ms;
}

int node_open(struct node **ret, const struct conf *conf, struct why *why)
{
	return node_adopt(ret, conf, NULL, why);
}

int node_adopt(struct node **ret, const struct conf *conf, const struct handover *before,
		struct why *why)
{
	sl_auto(node) n = calloc(1, sizeof(*n));
	int r;

	if (n == NULL)
		return why_errno(why, ENOMEM, "node");
	n->conf = conf;
	n->pid_fd = -1;
	n->started_ms = clock_mono_ms();
	if (gethostname(n->hostname, sizeof(n->hostname) - 1) < 0)
		snprintf(n->hostname, sizeof(n->hostname), "localhost");
	r = find_worker_group(n, why);
	if (r == 0)
		r = prepare_prefix(n, why);
	if (r == 0)
		r = before != NULL ? adopt_lock(n, before, why) : take_lock(n, why);
	if (r == 0)
		r = load_id(n, why);
	if (r == 0)
		r = own_certificate_ensure(conf, why);
	if (r < 0)
		return r;
	*ret = sl_steal(n);
	return 0;
}

void node_free(struct node *n)
{
	sl_auto_mem char *path = NULL;

	if (n == NULL)
		return;
	if (n->pid_fd >= 0) {
		/* while the lock is still held: nobody else's file */
		path = conf_path(n->conf, "sluiced.pid");
		if (path != NULL)
			unlink(path);
		close(n->pid_fd);
	}
	free(n);
}
