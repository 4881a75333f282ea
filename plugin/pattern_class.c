/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pattern_class.h"

static bool is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

bool pattern_class_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(unsigned char c)
{
	return is_upper(c) || is_lower(c) || pattern_class_is_digit(c);
}

static bool is_graph(unsigned char c)
{
	return c > 32 && c < 127;
}

bool pattern_class_holds(unsigned char c, unsigned char class)
{
	bool in;

	switch (class | 0x20) {
	case 'a':
		in = is_upper(c) || is_lower(c);
		break;
	case 'c':
		in = c < 32 || c == 127;
		break;
	case 'd':
		in = pattern_class_is_digit(c);
		break;
	case 'g':
		in = is_graph(c);
		break;
	case 'l':
		in = is_lower(c);
		break;
	case 'p':
		in = is_graph(c) && !is_alnum(c);
		break;
	case 's':
		in = c == ' ' || (c >= 9 && c <= 13);
		break;
	case 'u':
		in = is_upper(c);
		break;
	case 'w':
		in = is_alnum(c);
		break;
	case 'x':
		in = pattern_class_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
		break;
	case 'z':
		in = c == 0;
		break;
	default:
		return class == c;
	}
	return is_upper(class) ? !in : in;
}
