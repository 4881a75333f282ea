/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of password hashes: libargon2's and libcrypt's.  They are slow on purpose
 * and nothing stops them half-way: what does not fit into the CPU time that is left is refused
 * before it begins. */
#include "plugin/module_part.h"

#include <argon2.h>
#include <crypt.h>
#include <stdlib.h>

#include "base/hex.h"

#define PASSWORD_MAX 4096
#define ENCODED_MAX 512
#define SALT_MAX 256
#define HASH_MAX 256
#define ARGON2_KB_MAX 65536
#define LANES_MAX 1 /* more are threads, which the jail has not */
/* Measured under load: 500 to 1,100 ns for a block of Argon2 in a pass, up to 5,700 ns for one that
 * is new memory too; 57 to 69 µs for a round of bcrypt.  With a margin: */
#define ARGON2_BLOCK_NS 2000U
#define ARGON2_MEMORY_NS 4000U
#define BCRYPT_ROUND_NS 100000U
#define BCRYPT_COST_MAX 16
#define BCRYPT_SALT_BYTES 16

static struct str check_short(lua_State *L, int arg, size_t max)
{
	struct str s = ngx_check_text(L, arg, false);

	if (s.n > max)
		luaL_argerror(L, arg, "too long");
	return s;
}

static int too_slow(lua_State *L)
{
	return pdk_fail(L, "%s", "it would take more CPU time than is left (plugin_limits_cpu_ms)");
}

static bool fits_argon2(lua_State *L, uint64_t memory_kb, uint64_t passes)
{
	return memory_kb <= ARGON2_KB_MAX && passes <= 1000 &&
	       memory_kb * (ARGON2_MEMORY_NS + passes * ARGON2_BLOCK_NS) < vm_cpu_left_ns(L);
}

/* argon2_hash(password, salt, variant 0 d | 1 i | 2 id, passes, kB, lanes, bytes): encoded text;
 * nil and why. */
static int argon2_hash_text(lua_State *L)
{
	struct str password = check_short(L, 1, PASSWORD_MAX), salt = check_short(L, 2, SALT_MAX);
	lua_Integer variant = luaL_checkinteger(L, 3), passes = luaL_checkinteger(L, 4);
	lua_Integer kb = luaL_checkinteger(L, 5), lanes = luaL_checkinteger(L, 6);
	lua_Integer hash_n = luaL_checkinteger(L, 7);
	char encoded[ENCODED_MAX * 2];
	unsigned char hash[HASH_MAX];
	int r;

	if (variant < 0 || variant > 2 || lanes < 1 || lanes > LANES_MAX || hash_n < 4 ||
			hash_n > HASH_MAX || passes < 1 || kb < 8)
		return pdk_fail(L, "%s", "parameters out of range");
	if (!fits_argon2(L, (uint64_t)kb, (uint64_t)passes))
		return too_slow(L);
	vm_host_enter(L);
	r = argon2_hash((uint32_t)passes, (uint32_t)kb, (uint32_t)lanes, password.p, password.n,
			salt.p, salt.n, hash, (size_t)hash_n, encoded, sizeof(encoded),
			(argon2_type)variant, ARGON2_VERSION_NUMBER);
	vm_host_leave(L);
	if (r != ARGON2_OK)
		return pdk_fail(L, "%s", argon2_error_message(r));
	lua_pushstring(L, encoded);
	return 1;
}

/* "$argon2id$v=19$m=4096,t=3,p=1$…": its kind, memory and passes; false: not so. */
static bool read_argon2(const char *text, argon2_type *kind, unsigned *kb, unsigned *passes)
{
	unsigned version, lanes;
	char name[3] = "";

	if (sscanf(text, "$argon2%2[id]$v=%u$m=%u,t=%u,p=%u$", name, &version, kb, passes,
			    &lanes) != 5 ||
			lanes < 1 || lanes > LANES_MAX)
		return false;
	*kind = strcmp(name, "id") == 0 ? Argon2_id : name[0] == 'i' ? Argon2_i : Argon2_d;
	return true;
}

/* argon2_verify(encoded, password): boolean; nil and why. */
static int argon2_verify_text(lua_State *L)
{
	struct str encoded = check_short(L, 1, ENCODED_MAX),
		   password = check_short(L, 2, PASSWORD_MAX);
	argon2_type kind;
	unsigned kb, passes;
	int r;

	if (!read_argon2(encoded.p, &kind, &kb, &passes))
		return pdk_fail(L, "%s", argon2_error_message(ARGON2_DECODING_FAIL));
	if (!fits_argon2(L, kb, passes))
		return too_slow(L);
	vm_host_enter(L);
	r = argon2_verify(encoded.p, password.p, password.n, kind);
	vm_host_leave(L);
	if (r != ARGON2_OK && r != ARGON2_VERIFY_MISMATCH)
		return pdk_fail(L, "%s", argon2_error_message(r));
	lua_pushboolean(L, r == ARGON2_OK);
	return 1;
}

/* bcrypt of a password by a setting "$2b$10$…" or a whole hash; NULL: refused. */
static char *run_bcrypt(const char *password, const char *setting)
{
	static struct crypt_data data;

	return crypt_rn(password, setting, &data, (int)sizeof(data));
}

/* The cost of "$2b$10$…", 0: no bcrypt. */
static unsigned bcrypt_cost(const char *setting)
{
	unsigned cost = 0;
	char kind;

	return sscanf(setting, "$2%c$%2u$", &kind, &cost) == 2 && strchr("aby", kind) != NULL ? cost
											      : 0;
}

static bool fits_bcrypt(lua_State *L, unsigned cost)
{
	return cost <= BCRYPT_COST_MAX && ((uint64_t)BCRYPT_ROUND_NS << cost) < vm_cpu_left_ns(L);
}

/* bcrypt_digest(password, cost): hash; nil and why. */
static int bcrypt_digest(lua_State *L)
{
	struct str password = check_short(L, 1, PASSWORD_MAX);
	lua_Integer cost = luaL_checkinteger(L, 2);
	char setting[64], random[BCRYPT_SALT_BYTES];
	const char *hash = NULL;

	if (cost < 4 || cost > 31 || strlen(password.p) != password.n)
		return pdk_fail(L, "%s", "a cost of 4 to 31, and a password without NUL");
	if (!fits_bcrypt(L, (unsigned)cost))
		return too_slow(L);
	random_bytes(random, sizeof(random));
	vm_host_enter(L);
	if (crypt_gensalt_rn("$2b$", (unsigned long)cost, random, sizeof(random), setting,
			    sizeof(setting)) != NULL)
		hash = run_bcrypt(password.p, setting);
	vm_host_leave(L);
	if (hash == NULL)
		return pdk_fail(L, "%s", "bcrypt refused it");
	lua_pushstring(L, hash);
	return 1;
}

/* bcrypt_verify(password, hash): boolean; nil and why. */
static int bcrypt_verify(lua_State *L)
{
	struct str password = check_short(L, 1, PASSWORD_MAX),
		   hash = check_short(L, 2, ENCODED_MAX);
	unsigned cost = bcrypt_cost(hash.p), difference = 0;
	const char *got;

	if (cost == 0 || hash.n != 60 || strlen(password.p) != password.n)
		return lua_pushboolean(L, 0), 1;
	if (!fits_bcrypt(L, cost))
		return too_slow(L);
	vm_host_enter(L);
	got = run_bcrypt(password.p, hash.p);
	vm_host_leave(L);
	if (got == NULL || strlen(got) != hash.n)
		return lua_pushboolean(L, 0), 1;
	for (size_t i = 0; i < hash.n; i++)
		difference |= (unsigned char)(got[i] ^ hash.p[i]);
	lua_pushboolean(L, difference == 0);
	return 1;
}

const luaL_Reg module_password_functions[] = {
		{"argon2_hash", argon2_hash_text},
		{"argon2_verify", argon2_verify_text},
		{"bcrypt_digest", bcrypt_digest},
		{"bcrypt_verify", bcrypt_verify},
		{NULL, NULL},
};
