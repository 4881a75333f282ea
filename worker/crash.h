/* SPDX-License-Identifier: Apache-2.0
 *
 * The last words of a worker that ends by a signal: which one, which plugin ran in which phase,
 * and the native stack, in the log.  SIGABRT is how the master ends a worker that hangs; the rest
 * are crashes.  Worker only.
 */
#pragma once

/* Before the jail: what a stack needs is loaded now. */
void crash_watch(void);
