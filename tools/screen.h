/* SPDX-License-Identifier: Apache-2.0
 *
 * A terminal that is painted again and again: keys come one by one, and the screen is as it was
 * afterwards, also after a signal.  Where the output is no terminal, nothing is changed and
 * texts follow each other.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* True: it is a terminal, and its other screen is shown. */
bool screen_open(void);
void screen_close(void);

/* The next picture goes into *ret (memory); screen_paint() shows it, cut to the window. */
FILE *screen_begin(void);
void screen_paint(FILE *picture);

/* Waits for a key for at most wait_ms; 0: none came.  'q' on Ctrl-C, SIGTERM and end of input. */
int screen_key(int wait_ms);
