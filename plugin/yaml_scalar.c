/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/yaml_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 64

struct word {
	const char *text;
	enum yaml_kind kind;
	double value;
};

/* YAML 1.1's types null, bool and float; in the three ways of writing them. */
static const struct word words[] = {
		{"", YAML_KIND_NULL, 0},
		{"~", YAML_KIND_NULL, 0},
		{"null", YAML_KIND_NULL, 0},
		{"Null", YAML_KIND_NULL, 0},
		{"NULL", YAML_KIND_NULL, 0},
		{"true", YAML_KIND_BOOL, 1},
		{"True", YAML_KIND_BOOL, 1},
		{"TRUE", YAML_KIND_BOOL, 1},
		{"false", YAML_KIND_BOOL, 0},
		{"False", YAML_KIND_BOOL, 0},
		{"FALSE", YAML_KIND_BOOL, 0},
		{"yes", YAML_KIND_BOOL, 1},
		{"Yes", YAML_KIND_BOOL, 1},
		{"YES", YAML_KIND_BOOL, 1},
		{"no", YAML_KIND_BOOL, 0},
		{"No", YAML_KIND_BOOL, 0},
		{"NO", YAML_KIND_BOOL, 0},
		{"on", YAML_KIND_BOOL, 1},
		{"On", YAML_KIND_BOOL, 1},
		{"ON", YAML_KIND_BOOL, 1},
		{"off", YAML_KIND_BOOL, 0},
		{"Off", YAML_KIND_BOOL, 0},
		{"OFF", YAML_KIND_BOOL, 0},
		{".inf", YAML_KIND_FLOAT, INFINITY},
		{".Inf", YAML_KIND_FLOAT, INFINITY},
		{".INF", YAML_KIND_FLOAT, INFINITY},
		{"+.inf", YAML_KIND_FLOAT, INFINITY},
		{"+.Inf", YAML_KIND_FLOAT, INFINITY},
		{"+.INF", YAML_KIND_FLOAT, INFINITY},
		{"-.inf", YAML_KIND_FLOAT, -INFINITY},
		{"-.Inf", YAML_KIND_FLOAT, -INFINITY},
		{"-.INF", YAML_KIND_FLOAT, -INFINITY},
		{".nan", YAML_KIND_FLOAT, NAN},
		{".NaN", YAML_KIND_FLOAT, NAN},
		{".NAN", YAML_KIND_FLOAT, NAN},
};

static struct value of_word(const struct word *w)
{
	if (w->kind == YAML_KIND_NULL)
		return (struct value){.type = VALUE_NULL};
	if (w->kind == YAML_KIND_BOOL)
		return (struct value){.type = VALUE_BOOL, .boolean = w->value != 0};
	return (struct value){.type = VALUE_NUMBER, .number = w->value};
}

static const struct word *find_word(struct str text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].text) == text.n && memcmp(words[i].text, text.p, text.n) == 0)
			return &words[i];
	return NULL;
}

/* Digits of a base without the underscores between them; false: other characters, or none. */
static bool read_digits(const char *p, unsigned base, double *ret)
{
	bool is_any = false;
	double v = 0;

	for (; *p != '\0'; p++) {
		unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
				 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
				 : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A') + 10
							  : 99;

		if (*p == '_' && is_any)
			continue;
		if (digit >= base)
			return false;
		is_any = true;
		v = v * base + digit;
	}
	*ret = v;
	return is_any;
}

/* "1:30:00" (YAML 1.1): digits to the base of 60. */
static bool read_sixties(const char *p, double *ret)
{
	double v = 0;
	int n = 0;

	for (;; p++, n++) {
		size_t digits = strspn(p, "0123456789");
		long part = strtol(p, NULL, 10);

		if (digits == 0 || digits > 9 || (n > 0 && (digits > 2 || part > 59)))
			return false;
		v = v * 60 + (double)part;
		p += digits;
		if (*p != ':')
			break;
	}
	*ret = v;
	return *p == '\0' && n > 0;
}

static bool read_integer(struct str text, double *ret)
{
	const char *p = text.p;
	double sign = *p == '-' ? -1 : 1;
	bool is_good;

	if (*p == '-' || *p == '+')
		p++;
	if (text.n > DIGITS_MAX || *p < '0' || *p > '9')
		return false;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		is_good = read_digits(p + 2, 16, ret);
	else if (p[0] == '0' && (p[1] == 'b' || p[1] == 'B'))
		is_good = read_digits(p + 2, 2, ret);
	else if (p[0] == '0' && p[1] != '\0')
		is_good = read_digits(p + (p[1] == 'o' ? 2 : 1), 8, ret);
	else
		is_good = read_digits(p, 10, ret) || read_sixties(p, ret);
	*ret *= sign;
	return is_good;
}

static bool read_float(struct str text, double *ret)
{
	char plain[DIGITS_MAX + 1], *end;
	size_t n = 0;

	if (text.n > DIGITS_MAX || text.p[strspn(text.p, "+-.0123456789eE_")] != '\0' ||
			strpbrk(text.p, "0123456789") == NULL || strchr("eE_", text.p[0]) != NULL)
		return false;
	for (const char *p = text.p; *p != '\0'; p++)
		if (*p != '_')
			plain[n++] = *p;
	plain[n] = '\0';
	*ret = strtod(plain, &end);
	return *end == '\0' && end != plain && isfinite(*ret);
}

static bool read_number(enum yaml_kind kind, struct str text, struct value *ret)
{
	double v = 0;

	/* a NUL inside: the functions above would not see what follows it */
	if (text.n == 0 || strlen(text.p) != text.n)
		return false;
	if (!read_integer(text, &v) && (kind == YAML_KIND_INTEGER || !read_float(text, &v)))
		return false;
	*ret = (struct value){.type = VALUE_NUMBER, .number = v};
	return true;
}

bool yaml_scalar(enum yaml_kind kind, struct str text, struct value *ret)
{
	const struct word *w = kind != YAML_KIND_TEXT ? find_word(text) : NULL;

	if (w != NULL && (kind == YAML_KIND_ANY || kind == w->kind)) {
		*ret = of_word(w);
		return true;
	}
	if ((kind == YAML_KIND_ANY || kind == YAML_KIND_INTEGER || kind == YAML_KIND_FLOAT) &&
			read_number(kind, text, ret))
		return true;
	*ret = value_of_str(text);
	return kind == YAML_KIND_ANY || kind == YAML_KIND_TEXT;
}
