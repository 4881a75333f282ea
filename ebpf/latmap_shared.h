/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of shm/histogram and shm/lat as the kernel side knows it; ebpf/latmap.c asserts that
 * they agree.  Compiled for both.
 */
#pragma once

#define LATMAP_PHASES 8
#define LATMAP_NAME_MAX 128
#define LATMAP_SHIFT_MIN 7
#define LATMAP_BUCKETS 114
#define LATMAP_PAD 4
/* Printed: a bound to each power of two from 1 µs to 4.3 s. */
#define LATMAP_LE_SHIFT_MIN 10
#define LATMAP_LE_SHIFT_MAX 32
