/* SPDX-License-Identifier: Apache-2.0 */
#include "master/worker_words.h"

bool worker_read_report(struct ipc_in *in, struct plugin_report *ret)
{
	ret->id = ipc_get_str(in);
	ret->version = ipc_get_u64(in);
	ret->is_active = ipc_get_u8(in) != 0;
	ret->version_in_force = ipc_get_u64(in);
	ret->file = ipc_get_str(in);
	ret->line = ipc_get_u32(in);
	ret->text = ipc_get_str(in);
	return ipc_done(in);
}

bool worker_read_counts(struct ipc_in *in, struct plugin_counts *ret)
{
	ret->plugin = ipc_get_str(in);
	ret->version_sha256 = ipc_get_str(in);
	ret->runs = ipc_get_u64(in);
	ret->errors = ipc_get_u64(in);
	ret->cpu_trips = ipc_get_u64(in);
	ret->memory_trips = ipc_get_u64(in);
	ret->wall_trips = ipc_get_u64(in);
	ret->output_trips = ipc_get_u64(in);
	ret->discards = ipc_get_u64(in);
	ret->held = ipc_get_u64(in);
	ret->cpu_ns = ipc_get_u64(in);
	ret->memory_bytes = ipc_get_u64(in);
	return ipc_done(in);
}
