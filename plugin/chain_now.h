/* SPDX-License-Identifier: Apache-2.0
 *
 * What runs in this process at this moment, for the last words of a process that crashes or hangs.
 * Written by plugin/chain_run, read by a signal handler of the same thread.
 */
#pragma once

struct chain_now {
	const char *volatile plugin; /* NULL: no plugin runs */
	const char *volatile phase;
	const char *volatile request_id;
};
extern struct chain_now chain_now;
