/* SPDX-License-Identifier: Apache-2.0
 *
 * The character classes of Lua patterns, in the C locale.  For plugin/pattern.c.
 */
#pragma once

#include <stdbool.h>

bool pattern_class_is_digit(unsigned char c);
/* Is c in %class (%a %c %d %g %l %p %s %u %w %x %z, upper case: not in)?  Any other letter
 * stands for itself. */
bool pattern_class_holds(unsigned char c, unsigned char class);
