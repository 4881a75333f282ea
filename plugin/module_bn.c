/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of big numbers: OpenSSL's.  A number travels as hexadecimal text, "-1F".
 * Numbers have at most 32,768 bits, and what takes long is refused when it does not fit into the
 * CPU time that is left. */
#include "plugin/module_part.h"

#include <openssl/bn.h>
#include <openssl/err.h>

#include "base/clock.h"
#include "plugin/module_facts.h"

#define BITS_MAX 32768
#define TEXT_MAX (BITS_MAX / 3) /* of decimal digits, too */
#define PRIME_BITS_MAX 4096
#define LIMB_BITS 64

struct numbers {
	BIGNUM *r, *a, *b, *c;
	BN_CTX *ctx;
};

typedef int operate_fn(struct numbers *n);

static int op_add(struct numbers *n)
{
	return BN_add(n->r, n->a, n->b);
}

static int op_sub(struct numbers *n)
{
	return BN_sub(n->r, n->a, n->b);
}

static int op_mul(struct numbers *n)
{
	return BN_mul(n->r, n->a, n->b, n->ctx);
}

static int op_div(struct numbers *n)
{
	return BN_div(n->r, NULL, n->a, n->b, n->ctx);
}

static int op_mod(struct numbers *n)
{
	return BN_nnmod(n->r, n->a, n->b, n->ctx);
}

static int op_exp(struct numbers *n)
{
	BN_ULONG e = BN_get_word(n->b);

	if (BN_is_negative(n->b) || e > BITS_MAX || e * (BN_ULONG)BN_num_bits(n->a) > BITS_MAX)
		return 0;
	return BN_exp(n->r, n->a, n->b, n->ctx);
}

static int op_gcd(struct numbers *n)
{
	return BN_gcd(n->r, n->a, n->b, n->ctx);
}

static int op_mod_add(struct numbers *n)
{
	return BN_mod_add(n->r, n->a, n->b, n->c, n->ctx);
}

static int op_mod_sub(struct numbers *n)
{
	return BN_mod_sub(n->r, n->a, n->b, n->c, n->ctx);
}

static int op_mod_mul(struct numbers *n)
{
	return BN_mod_mul(n->r, n->a, n->b, n->c, n->ctx);
}

static int op_mod_exp(struct numbers *n)
{
	return BN_mod_exp(n->r, n->a, n->b, n->c, n->ctx);
}

static int op_mod_inverse(struct numbers *n)
{
	return BN_mod_inverse(n->r, n->a, n->b, n->ctx) != NULL;
}

static int op_lshift(struct numbers *n)
{
	BN_ULONG by = BN_get_word(n->b);

	return by <= BITS_MAX && BN_lshift(n->r, n->a, (int)by);
}

static int op_rshift(struct numbers *n)
{
	BN_ULONG by = BN_get_word(n->b);

	return by <= BITS_MAX && BN_rshift(n->r, n->a, (int)by);
}

static const struct operation {
	const char *name;
	operate_fn *run;
	bool has_modulus;
} operations[] = {
		{"add", op_add, false},
		{"sub", op_sub, false},
		{"mul", op_mul, false},
		{"div", op_div, false},
		{"mod", op_mod, false},
		{"exp", op_exp, false},
		{"gcd", op_gcd, false},
		{"mod_add", op_mod_add, true},
		{"mod_sub", op_mod_sub, true},
		{"mod_mul", op_mod_mul, true},
		{"mod_exp", op_mod_exp, true},
		{"mod_inverse", op_mod_inverse, false},
		{"lshift", op_lshift, false},
		{"rshift", op_rshift, false},
};

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < PDK_COUNT(operations); i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	return NULL;
}

static struct str check_number(lua_State *L, int arg)
{
	struct str s = ngx_check_text(L, arg, true);

	if (s.n > TEXT_MAX)
		luaL_argerror(L, arg, "a number of at most 32,768 bits expected");
	return s;
}

/* The whole text must be digits, as the reader of `parse` takes them. */
static BIGNUM *read_number(struct str s, int (*parse)(BIGNUM **, const char *))
{
	char text[TEXT_MAX + 1];
	BIGNUM *n = NULL;

	if (s.n == 0)
		return BN_new();
	if (s.n > TEXT_MAX)
		return NULL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (parse(&n, text) == (int)s.n && BN_num_bits(n) <= BITS_MAX)
		return n;
	BN_free(n);
	return NULL;
}

static void note_hex(const BIGNUM *n)
{
	char *text = n != NULL && BN_num_bits(n) <= BITS_MAX ? BN_bn2hex(n) : NULL;

	if (text == NULL)
		facts_fail();
	facts_text(NULL, text);
	OPENSSL_free(text);
}

/* Of a modular exponentiation; everything else at these sizes is fast. */
static uint64_t cost_ns(const struct numbers *n)
{
	uint64_t limbs = (uint64_t)BN_num_bits(n->c) / LIMB_BITS + 1;

	return (uint64_t)BN_num_bits(n->b) * limbs * limbs;
}

static void free_numbers(struct numbers *n)
{
	BN_clear_free(n->r);
	BN_clear_free(n->a);
	BN_clear_free(n->b);
	BN_clear_free(n->c);
	BN_CTX_free(n->ctx);
}

static void operate(const struct operation *op, const struct str text[3], uint64_t left_ns)
{
	struct numbers n = {BN_new(), read_number(text[0], BN_hex2bn),
			read_number(text[1], BN_hex2bn), read_number(text[2], BN_hex2bn),
			BN_CTX_new()};
	bool is_done = n.r != NULL && n.a != NULL && n.b != NULL && n.c != NULL && n.ctx != NULL;

	facts_begin();
	if (is_done && op->has_modulus)
		is_done = !BN_is_zero(n.c) && cost_ns(&n) < left_ns;
	note_hex(is_done && op->run(&n) == 1 ? n.r : NULL);
	free_numbers(&n);
	ERR_clear_error();
}

/* bn_operate(name, a, b, modulus): hexadecimal text, or nil: no such number, or too much work. */
static int bn_operate(lua_State *L)
{
	const struct operation *op = find_operation(luaL_checkstring(L, 1));
	const struct str text[3] = {check_number(L, 2), check_number(L, 3), check_number(L, 4)};
	uint64_t left_ns = vm_cpu_left_ns(L);

	if (op == NULL)
		return luaL_argerror(L, 1, "unknown operation");
	vm_host_enter(L);
	operate(op, text, left_ns);
	vm_host_leave(L);
	facts_push_value(L);
	return 1;
}

/* bn_compare(a, b): -1, 0, 1; nil: no numbers. */
static int bn_compare(lua_State *L)
{
	struct str sa = check_number(L, 1), sb = check_number(L, 2);
	BIGNUM *a, *b;
	int r = 0;

	vm_host_enter(L);
	a = read_number(sa, BN_hex2bn);
	b = read_number(sb, BN_hex2bn);
	facts_begin();
	if (a == NULL || b == NULL)
		facts_fail();
	else
		r = BN_cmp(a, b);
	BN_free(a);
	BN_free(b);
	ERR_clear_error();
	vm_host_leave(L);
	facts_integer(NULL, r);
	facts_push_value(L);
	return 1;
}

/* bn_read(text, is_decimal): hexadecimal text as others here give it; nil: no number. */
static int bn_read(lua_State *L)
{
	struct str s = check_number(L, 1);
	bool is_decimal = lua_toboolean(L, 2);
	BIGNUM *n;

	vm_host_enter(L);
	facts_begin();
	n = s.n != 0 ? read_number(s, is_decimal ? BN_dec2bn : BN_hex2bn) : NULL;
	note_hex(n);
	BN_free(n);
	ERR_clear_error();
	vm_host_leave(L);
	facts_push_value(L);
	return 1;
}

/* bn_decimal(number) */
static int bn_decimal(lua_State *L)
{
	struct str s = check_number(L, 1);
	BIGNUM *n;
	char *text;

	vm_host_enter(L);
	facts_begin();
	n = read_number(s, BN_hex2bn);
	text = n != NULL ? BN_bn2dec(n) : NULL;
	if (text == NULL)
		facts_fail();
	facts_text(NULL, text);
	OPENSSL_free(text);
	BN_free(n);
	ERR_clear_error();
	vm_host_leave(L);
	facts_push_value(L);
	return 1;
}

/* How long the search for a prime may go on. */
static int go_on(int a, int b, BN_GENCB *cb)
{
	const uint64_t *until_ns = BN_GENCB_get_arg(cb);

	(void)a;
	(void)b;
	return clock_mono_ns() < *until_ns;
}

static BN_GENCB *patience(uint64_t *until_ns, uint64_t left_ns)
{
	uint64_t now_ns = clock_mono_ns();
	BN_GENCB *cb = BN_GENCB_new();

	*until_ns = left_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + left_ns;
	if (cb != NULL)
		BN_GENCB_set(cb, go_on, until_ns);
	return cb;
}

/* bn_is_prime(number): boolean; nil: not decided in the CPU time that is left. */
static int bn_is_prime(lua_State *L)
{
	struct str s = check_number(L, 1);
	uint64_t left_ns = vm_cpu_left_ns(L), until_ns;
	BN_CTX *ctx;
	BN_GENCB *cb;
	BIGNUM *n;
	int r = -1;

	vm_host_enter(L);
	n = read_number(s, BN_hex2bn);
	ctx = BN_CTX_new();
	cb = patience(&until_ns, left_ns);
	if (n != NULL && ctx != NULL && cb != NULL && BN_num_bits(n) <= PRIME_BITS_MAX)
		r = BN_check_prime(n, ctx, cb);
	BN_free(n);
	BN_CTX_free(ctx);
	BN_GENCB_free(cb);
	ERR_clear_error();
	vm_host_leave(L);
	if (r < 0)
		return lua_pushnil(L), 1;
	lua_pushboolean(L, r);
	return 1;
}

/* bn_make_prime(bits, is_safe): a number; nil: none was found in the CPU time that is left. */
static int bn_make_prime(lua_State *L)
{
	lua_Integer bits = luaL_checkinteger(L, 1);
	bool is_safe = lua_toboolean(L, 2);
	uint64_t left_ns = vm_cpu_left_ns(L), until_ns;
	BN_GENCB *cb;
	BIGNUM *n;

	if (bits < 8 || bits > PRIME_BITS_MAX / 2)
		return luaL_argerror(L, 1, "8 to 2,048 bits");
	vm_host_enter(L);
	n = BN_new();
	cb = patience(&until_ns, left_ns);
	facts_begin();
	note_hex(n != NULL && cb != NULL &&
							BN_generate_prime_ex(n, (int)bits, is_safe,
									NULL, NULL, cb) == 1
					? n
					: NULL);
	BN_clear_free(n);
	BN_GENCB_free(cb);
	ERR_clear_error();
	vm_host_leave(L);
	facts_push_value(L);
	return 1;
}

const luaL_Reg module_bn_functions[] = {
		{"bn_operate", bn_operate},
		{"bn_compare", bn_compare},
		{"bn_read", bn_read},
		{"bn_decimal", bn_decimal},
		{"bn_is_prime", bn_is_prime},
		{"bn_make_prime", bn_make_prime},
		{NULL, NULL},
};
