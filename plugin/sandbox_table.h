/* SPDX-License-Identifier: Apache-2.0
 *
 * Every Lua global and every built-in module of the sandbox, once:
 * X(dotted name, source, level, what differs from stock Lua).  What is not here does not exist
 * for a plugin.  kong.* and ngx.* are added by open_library.
 *
 * source: STOCK = LuaJIT's own; C(f) = f() in safe_*.c; LUA = the function of that name in
 * safe_lib.lua; TEXT(s) = a string; CONST = LuaJIT's own value, not a function.
 * level: STRICT = always, LAX = in lax sandboxes only.
 */
#pragma once

/* clang-format off */
#define SANDBOX_GLOBALS(X) \
	X("_VERSION",         CONST,                    STRICT, "") \
	X("assert",           STOCK,                    STRICT, "") \
	X("error",            STOCK,                    STRICT, "") \
	X("getmetatable",     C(safe_getmetatable),     STRICT, "nil for anything but tables; not in Kong's strict list") \
	X("ipairs",           STOCK,                    STRICT, "") \
	X("next",             STOCK,                    STRICT, "sees nothing in read-only tables") \
	X("pairs",            LUA,                      STRICT, "sees through read-only tables") \
	X("pcall",            STOCK,                    STRICT, "") \
	X("print",            C(safe_print),            STRICT, "discards, unless the PDK provides another") \
	X("require",          C(safe_require),          STRICT, "allow-list only") \
	X("select",           STOCK,                    STRICT, "") \
	X("setmetatable",     STOCK,                    STRICT, "refuses read-only tables; not in Kong's strict list") \
	X("tonumber",         STOCK,                    STRICT, "") \
	X("tostring",         LUA,                      STRICT, "a serial number in place of an address") \
	X("type",             STOCK,                    STRICT, "") \
	X("unpack",           STOCK,                    STRICT, "") \
	X("xpcall",           LUA,                      STRICT, "the handler runs after unwinding") \
	X("bit.arshift",      STOCK,                    STRICT, "") \
	X("bit.band",         STOCK,                    STRICT, "") \
	X("bit.bnot",         STOCK,                    STRICT, "") \
	X("bit.bor",          STOCK,                    STRICT, "") \
	X("bit.bswap",        STOCK,                    STRICT, "") \
	X("bit.bxor",         STOCK,                    STRICT, "") \
	X("bit.lshift",       STOCK,                    STRICT, "") \
	X("bit.rol",          STOCK,                    STRICT, "") \
	X("bit.ror",          STOCK,                    STRICT, "") \
	X("bit.rshift",       STOCK,                    STRICT, "") \
	X("bit.tobit",        STOCK,                    STRICT, "") \
	X("bit.tohex",        STOCK,                    STRICT, "") \
	X("coroutine.create", STOCK,                    STRICT, "") \
	X("coroutine.resume", LUA,                      STRICT, "nests 50 deep") \
	X("coroutine.running", C(safe_running),         STRICT, "nil outside the plugin's own coroutines") \
	X("coroutine.status", STOCK,                    STRICT, "") \
	X("coroutine.wrap",   LUA,                      STRICT, "nests 50 deep") \
	X("coroutine.yield",  C(safe_yield),            STRICT, "") \
	X("io.type",          C(safe_io_type),          STRICT, "nil: there are no files") \
	X("jit.arch",         CONST,                    STRICT, "") \
	X("jit.os",           CONST,                    STRICT, "") \
	X("jit.version",      CONST,                    STRICT, "") \
	X("jit.version_num",  CONST,                    STRICT, "") \
	X("math.abs",         STOCK,                    STRICT, "") \
	X("math.acos",        STOCK,                    STRICT, "") \
	X("math.asin",        STOCK,                    STRICT, "") \
	X("math.atan",        STOCK,                    STRICT, "") \
	X("math.atan2",       STOCK,                    STRICT, "") \
	X("math.ceil",        STOCK,                    STRICT, "") \
	X("math.cos",         STOCK,                    STRICT, "") \
	X("math.cosh",        STOCK,                    STRICT, "") \
	X("math.deg",         STOCK,                    STRICT, "") \
	X("math.exp",         STOCK,                    STRICT, "") \
	X("math.floor",       STOCK,                    STRICT, "") \
	X("math.fmod",        STOCK,                    STRICT, "") \
	X("math.frexp",       STOCK,                    STRICT, "") \
	X("math.huge",        CONST,                    STRICT, "") \
	X("math.ldexp",       STOCK,                    STRICT, "") \
	X("math.log",         STOCK,                    STRICT, "") \
	X("math.log10",       STOCK,                    STRICT, "") \
	X("math.max",         STOCK,                    STRICT, "") \
	X("math.min",         STOCK,                    STRICT, "") \
	X("math.modf",        STOCK,                    STRICT, "") \
	X("math.pi",          CONST,                    STRICT, "") \
	X("math.pow",         STOCK,                    STRICT, "") \
	X("math.rad",         STOCK,                    STRICT, "") \
	X("math.random",      STOCK,                    STRICT, "seeded from the kernel") \
	X("math.sin",         STOCK,                    STRICT, "") \
	X("math.sinh",        STOCK,                    STRICT, "") \
	X("math.sqrt",        STOCK,                    STRICT, "") \
	X("math.tan",         STOCK,                    STRICT, "") \
	X("math.tanh",        STOCK,                    STRICT, "") \
	X("os.clock",         C(safe_os_clock),         STRICT, "CPU seconds of the whole process") \
	X("os.date",          C(safe_os_date),          STRICT, "format up to 256 bytes") \
	X("os.difftime",      C(safe_os_difftime),      STRICT, "") \
	X("os.time",          C(safe_os_time),          STRICT, "") \
	X("string.byte",      STOCK,                    STRICT, "") \
	X("string.char",      STOCK,                    STRICT, "") \
	X("string.find",      C(safe_string_find),      STRICT, "patterns are bounded in steps and depth") \
	X("string.format",    LUA,                      STRICT, "result up to 4 MB; no %p") \
	X("string.gmatch",    C(safe_string_gmatch),    STRICT, "patterns are bounded in steps and depth") \
	X("string.gsub",      LUA,                      STRICT, "result up to 4 MB; patterns are bounded") \
	X("string.len",       STOCK,                    STRICT, "") \
	X("string.lower",     STOCK,                    STRICT, "") \
	X("string.match",     C(safe_string_match),     STRICT, "patterns are bounded in steps and depth") \
	X("string.rep",       C(safe_string_rep),       STRICT, "result up to 4 MB") \
	X("string.reverse",   STOCK,                    STRICT, "") \
	X("string.sub",       STOCK,                    STRICT, "") \
	X("string.upper",     STOCK,                    STRICT, "") \
	X("table.clear",      LUA,                      STRICT, "") \
	X("table.clone",      LUA,                      STRICT, "") \
	X("table.concat",     C(safe_table_concat),     STRICT, "result up to 4 MB") \
	X("table.foreach",    LUA,                      STRICT, "") \
	X("table.foreachi",   LUA,                      STRICT, "") \
	X("table.getn",       STOCK,                    STRICT, "") \
	X("table.insert",     STOCK,                    STRICT, "") \
	X("table.isarray",    LUA,                      STRICT, "") \
	X("table.isempty",    LUA,                      STRICT, "") \
	X("table.maxn",       STOCK,                    STRICT, "") \
	X("table.move",       LUA,                      STRICT, "") \
	X("table.new",        LUA,                      STRICT, "sizes are hints up to 100,000") \
	X("table.nkeys",      LUA,                      STRICT, "") \
	X("table.pack",       LUA,                      STRICT, "") \
	X("table.remove",     STOCK,                    STRICT, "") \
	X("table.sort",       LUA,                      STRICT, "stable; any comparator ends") \
	X("table.unpack",     LUA,                      STRICT, "")

/* Modules of plain Lua for require(): X(name, the dotted global it is, or "" for its own). */
#define SANDBOX_MODULES(X) \
	X("bit",           "bit") \
	X("string.buffer", "") \
	X("table.clear",   "table.clear") \
	X("table.clone",   "table.clone") \
	X("table.isarray", "table.isarray") \
	X("table.isempty", "table.isempty") \
	X("table.new",     "table.new") \
	X("table.nkeys",   "table.nkeys")
/* clang-format on */
