/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FILE_BYTES_MAX (16U << 20)

int file_text_read(const char *path, struct buf *out, struct why *why)
{
	sl_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && out->n <= FILE_BYTES_MAX) {
		if (!buf_reserve(out, 65536))
			return why_errno(why, ENOMEM, "cannot read %s", path);
		n = read(fd, out->p + out->n, 65536);
		out->n += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		return why_errno(why, errno, "cannot read %s", path);
	return out->n <= FILE_BYTES_MAX ? 0 : why_errno(why, EFBIG, "cannot read %s", path);
}
