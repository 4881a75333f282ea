/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of gzip: zlib's, with a bound on what comes out. */
#include "plugin/module_part.h"

#include <zlib.h>

#define OUT_MAX (4U << 20)
#define STEP_BYTES 65536U
#define WINDOW_GZIP (15 + 16)
#define WINDOW_ANY (15 + 32) /* gzip or zlib, as the header says */

static unsigned char out[OUT_MAX];

/* gzip(text): compressed; nil and why. */
static int gzip_deflate(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)s.p,
			.avail_in = (unsigned)s.n,
			.next_out = out,
			.avail_out = OUT_MAX};
	int r;

	if (s.n > OUT_MAX / 2)
		return pdk_fail(L, "%s", "too much data: at most 2 MB");
	vm_host_enter(L);
	r = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY);
	if (r == Z_OK)
		r = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	vm_host_leave(L);
	if (r != Z_STREAM_END)
		return pdk_fail(L, "%s", "cannot compress it");
	lua_pushlstring(L, (const char *)out, OUT_MAX - z.avail_out);
	return 1;
}

/* In steps, so that a pending kill ends it. */
static int inflate_all(lua_State *L, z_stream *z)
{
	int r = Z_OK;

	while (r == Z_OK && !vm_is_killed(L)) {
		unsigned done = OUT_MAX - (unsigned)z->total_out;

		z->avail_out = done < STEP_BYTES ? done : STEP_BYTES;
		if (z->avail_out == 0)
			return Z_MEM_ERROR;
		r = inflate(z, Z_NO_FLUSH);
		if (r == Z_BUF_ERROR || (r == Z_OK && z->avail_in == 0 && z->avail_out != 0))
			return Z_DATA_ERROR;
	}
	return r;
}

/* gunzip(text): plain text; nil and why. */
static int gzip_inflate(lua_State *L)
{
	struct str s = module_check_bytes(L, 1);
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)s.p,
			.avail_in = (unsigned)s.n,
			.next_out = out};
	int r;

	vm_host_enter(L);
	r = inflateInit2(&z, WINDOW_ANY);
	if (r == Z_OK)
		r = inflate_all(L, &z);
	inflateEnd(&z);
	vm_host_leave(L);
	if (r != Z_STREAM_END)
		return pdk_fail(L, "%s",
				r == Z_MEM_ERROR ? "more than 4 MB of plain data"
						 : "not gzip data, or cut off");
	lua_pushlstring(L, (const char *)out, z.total_out);
	return 1;
}

const luaL_Reg module_gzip_functions[] = {
		{"gzip", gzip_deflate},
		{"gunzip", gzip_inflate},
		{NULL, NULL},
};
