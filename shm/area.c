/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* NULL when the kernel refuses: errno says why. */
static struct area_head *area_mmap(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

int area_memfd(const char *name, size_t size, struct why *why)
{
	sl_auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return why_errno(why, errno, "cannot create the shared %s", name);
	if (ftruncate(fd, (off_t)size) != 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return why_errno(why, errno, "cannot size and seal the shared %s", name);
	return sl_steal_fd(&fd);
}

int area_create(void **ret, int *ret_fd, const char *name, size_t size, struct area_head head,
		struct why *why)
{
	sl_auto_fd int fd = area_memfd(name, size, why);
	struct area_head *p;

	if (fd < 0)
		return fd;
	p = area_mmap(fd, size);
	if (p == NULL)
		return why_errno(why, errno, "cannot map the shared %s", name);
	*p = head;
	*ret = p;
	*ret_fd = sl_steal_fd(&fd);
	return 0;
}

int area_adopt(void **ret, int fd, const char *name, size_t size, struct area_head head,
		struct why *why)
{
	struct area_head *p = area_mmap(fd, size);

	if (p == NULL)
		return why_errno(why, errno, "cannot map the shared %s", name);
	*p = head;
	*ret = p;
	return 0;
}

/* An anonymous inode, what a BPF map is, has no file type at all. */
static bool area_is_map(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static int area_check_memfd(int fd, const char *name, size_t size, struct why *why)
{
	struct stat st;
	int seals;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)size) {
		why_set(why, NULL, 0, "fd %d is not the shared %s of this version", fd, name);
		return -EBADF;
	}
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
		why_set(why, NULL, 0, "the shared %s on fd %d is not sealed", name, fd);
		return -EBADF;
	}
	return 0;
}

int area_map(void **ret, int fd, const char *name, size_t size, struct area_head head,
		struct why *why)
{
	struct area_head *found;
	int r = area_is_map(fd) ? 0 : area_check_memfd(fd, name, size, why);

	if (r < 0)
		return r;
	found = area_mmap(fd, size);
	if (found == NULL)
		return why_errno(why, errno, "cannot map the shared %s", name);
	if (found->magic != head.magic || found->abi != head.abi) {
		why_set(why, NULL, 0, "the shared %s on fd %d has abi %u, this program needs %u",
				name, fd, found->abi, head.abi);
		area_unmap(found, size);
		return -EBADF;
	}
	*ret = found;
	return 0;
}

void area_unmap(void *p, size_t size)
{
	if (p != NULL)
		munmap(p, size);
}
