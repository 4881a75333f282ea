/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a hostile worker, as the master reads them: one packet, then every field that
 * PLUGIN_STATE and PLUGIN_STATS have.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shm/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps the reads from being optimised away. */
static volatile size_t seen;

static size_t touch(struct str s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += (uint8_t)s.p[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ipc_in in;
	static int fd[2] = {-1, -1};
	size_t sum = 0;

	if (fd[0] < 0 && ipc_pair(fd) != 0)
		abort();
	if (size == 0 || send(fd[0], data, size, MSG_DONTWAIT) != (ssize_t)size)
		return 0;
	if (ipc_recv(fd[1], &in) != 0)
		return 0;
	for (unsigned i = 0; !ipc_done(&in) && !in.is_short; i++) {
		sum += i % 3 == 0 ? touch(ipc_get_str(&in)) : 0;
		sum += i % 3 == 1 ? (size_t)ipc_get_u64(&in) : 0;
		sum += i % 3 == 2 ? (size_t)ipc_get_u8(&in) + ipc_get_u32(&in) : 0;
	}
	seen = sum;
	if (in.at > in.n || seen != sum)
		abort();
	return 0;
}
