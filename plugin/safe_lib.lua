-- SPDX-License-Identifier: Apache-2.0
-- The part of the safe standard library that calls plugin code (callbacks, comparators,
-- metamethods): in Lua there is no C frame below, so the budget can stop it and host calls
-- can yield through it.  Loaded once per VM, before any plugin code; a kill may cut it
-- anywhere, so it keeps no state that two steps must agree on.
local C, stock, preload, sealed, HOST_YIELD = ...

local error, getmetatable, next, pcall = stock.error, C.raw_getmetatable, stock.next, stock.pcall
local rawget, rawset, select, setmetatable = stock.rawget, stock.rawset, stock.select, stock.setmetatable
local type, unpack, stock_pairs, stock_tostring = stock.type, stock.unpack, stock.pairs, stock.tostring
local stock_getmetatable = stock.getmetatable
local sub, stock_format = stock.string.sub, stock.string.format
local floor, concat = stock.math.floor, C.concat
local co_create, co_resume, co_running = stock.coroutine.create, stock.coroutine.resume, stock.coroutine.running
local match_from, gsub_text, format_check = C.match_from, C.gsub_text, C.format_check
local took_host_yield, yield_again = C.took_host_yield, C.yield_again

local WEAK_KEYS = { __mode = "k" }
local NEST_MAX = 50
local NEW_MAX = 100000
local lib = {}

local function bad_argument(n, name, expected, got)
  error("bad argument #" .. n .. " to '" .. name .. "' (" .. expected .. " expected, got " .. got .. ")", 3)
end

-- Objects are told apart by a serial number, not by their address.
local ids, last_id = setmetatable({}, WEAK_KEYS), 0

local function object_text(v, t)
  local id = ids[v]
  if not id then
    last_id = last_id + 1
    id = stock_format("%s: 0x%08x", t, last_id)
    ids[v] = id
  end
  return id
end

local function tostring(...)
  local v = ...
  local t = type(v)
  if t == "string" then
    return v
  end
  if t == "number" or t == "boolean" or t == "cdata" then
    return stock_tostring(v)
  end
  if t == "nil" then
    if select("#", ...) == 0 then
      error("bad argument #1 to 'tostring' (value expected)", 2)
    end
    return "nil"
  end
  local mt = getmetatable(v)
  local f = mt and rawget(mt, "__tostring")
  if f then
    local s = f(v)
    if type(s) ~= "string" then
      error("'tostring' must return a string to 'print'", 2)
    end
    return s
  end
  if t == "userdata" and stock_tostring(v) == "userdata: NULL" then
    return "userdata: NULL" -- what plugins compare with; no address
  end
  return object_text(v, t)
end
lib["tostring"] = tostring

function lib.pairs(t)
  local real = t ~= nil and sealed[t]
  if not real then
    return stock_pairs(t)
  end
  local meta = stock_getmetatable(real)
  if meta and meta.__fill then
    meta.__fill(real)
  end
  local k, v
  return function()
    k, v = next(real, k)
    return k, v
  end
end

local function handle(handler, ok, ...)
  if ok then
    return true, ...
  end
  local _, text = pcall(handler, (...))
  return false, text
end

function lib.xpcall(f, handler, ...)
  if type(handler) ~= "function" then
    bad_argument(2, "xpcall", "function", type(handler))
  end
  return handle(handler, pcall(f, ...))
end

-- coroutine.*: how deep each is nested (kept per coroutine: a killed one never comes back to
-- count down), and which wait for the host.
local depth_of, waiting = setmetatable({}, WEAK_KEYS), setmetatable({}, WEAK_KEYS)

local function resume_waiting(co, ...)
  waiting[co] = nil
  return co_resume(co, ...)
end

local function relay(co, ok, a, ...)
  if a == HOST_YIELD and ok and took_host_yield() then
    waiting[co] = true
    return relay(co, resume_waiting(co, yield_again()))
  end
  return ok, a, ...
end

local function resume(co, ...)
  if type(co) ~= "thread" then
    bad_argument(1, "resume", "coroutine", type(co))
  end
  if waiting[co] then
    return false, "cannot resume non-suspended coroutine"
  end
  local me = co_running()
  local depth = (me and depth_of[me] or 0) + 1
  if depth > NEST_MAX then
    return false, "C stack overflow"
  end
  depth_of[co] = depth
  return relay(co, co_resume(co, ...))
end
lib["coroutine.resume"] = resume

local function or_error(ok, ...)
  if ok then
    return ...
  end
  error((...), 0)
end

lib["coroutine.wrap"] = function(f)
  local co = co_create(f)
  return function(...)
    return or_error(resume(co, ...))
  end
end

-- string.*
local function replacement(repl, is_function, ...)
  local v
  if is_function then
    v = repl(...)
  else
    v = repl[(...)]
  end
  local t = type(v)
  if not v or t == "string" or t == "number" then
    return v
  end
  error("invalid replacement value (a " .. t .. ")", 3)
end

local function replace_at(s, out, from, repl, is_function, first, last, ...)
  if not first then
    return nil
  end
  if first > from then
    out[#out + 1] = sub(s, from + 1, first)
  end
  local v = replacement(repl, is_function, ...)
  out[#out + 1] = v or sub(s, first + 1, last)
  return first, last
end

lib["string.gsub"] = function(s, pattern, repl, max)
  local t = type(repl)
  if t == "string" or t == "number" then
    return gsub_text(s, pattern, repl, max)
  end
  if t ~= "function" and t ~= "table" then
    bad_argument(3, "gsub", "string/function/table", repl == nil and "no value" or t)
  end
  s = C.check_string(s)
  local out, pos, count, n = {}, 0, 0, #s
  local is_anchored = C.is_anchored(pattern)
  max = max or n + 1
  while count < max do
    local first, last = replace_at(s, out, pos, repl, t == "function", match_from(s, pattern, pos))
    if not first then
      break
    end
    count = count + 1
    if last > first then
      pos = last
    elseif first < n then
      out[#out + 1] = sub(s, first + 1, first + 1)
      pos = first + 1
    else
      pos = n
      break
    end
    if is_anchored then
      break
    end
  end
  if count == 0 then
    return s, 0
  end
  out[#out + 1] = sub(s, pos + 1)
  return concat(out), count
end

lib["string.format"] = function(fmt, ...)
  if format_check(fmt, ...) then
    return stock_format(fmt, ...)
  end
  local args, n = { ... }, select("#", ...)
  for i = 1, n do
    local t = type(args[i])
    if t ~= "nil" and t ~= "boolean" and t ~= "number" then
      args[i] = tostring(args[i])
    end
  end
  format_check(fmt, unpack(args, 1, n))
  return stock_format(fmt, unpack(args, 1, n))
end

-- table.*
local function merge(from, to, lo, mid, hi, less)
  local a, b = lo, mid + 1
  for i = lo, hi do
    if a <= mid and (b > hi or not less(from[b], from[a])) then
      to[i] = from[a]
      a = a + 1
    else
      to[i] = from[b]
      b = b + 1
    end
  end
end

local function insertion_sort(t, lo, hi, less)
  for i = lo + 1, hi do
    local v, j = t[i], i - 1
    while j >= lo and less(v, t[j]) do
      t[j + 1] = t[j]
      j = j - 1
    end
    t[j + 1] = v
  end
end

local function by_value(a, b)
  return a < b
end

lib["table.sort"] = function(t, less)
  if type(t) ~= "table" then
    bad_argument(1, "sort", "table", t == nil and "no value" or type(t))
  end
  if less == nil then
    less = by_value
  elseif type(less) ~= "function" then
    bad_argument(2, "sort", "function", type(less))
  end
  local n, run = #t, 8
  for lo = 1, n, run do
    local hi = lo + run - 1
    insertion_sort(t, lo, hi < n and hi or n, less)
  end
  local from, to = t, {}
  while run < n do
    for lo = 1, n, 2 * run do
      local mid, hi = lo + run - 1, lo + 2 * run - 1
      merge(from, to, lo, mid < n and mid or n, hi < n and hi or n, less)
    end
    from, to = to, from
    run = run * 2
  end
  if from ~= t then
    for i = 1, n do
      t[i] = from[i]
    end
  end
end

local function check_table(t, name)
  if type(t) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. (t == nil and "no value" or type(t)) .. ")", 3)
  end
end

lib["table.foreach"] = function(t, f)
  check_table(t, "foreach")
  for k, v in next, t do
    local r = f(k, v)
    if r ~= nil then
      return r
    end
  end
end

lib["table.foreachi"] = function(t, f)
  check_table(t, "foreachi")
  for i = 1, #t do
    local r = f(i, t[i])
    if r ~= nil then
      return r
    end
  end
end

lib["table.move"] = function(from, first, last, at, to)
  check_table(from, "move")
  to = to or from
  if at > last or at <= first or from ~= to then
    for i = 0, last - first do
      to[at + i] = from[first + i]
    end
  else
    for i = last - first, 0, -1 do
      to[at + i] = from[first + i]
    end
  end
  return to
end

lib["table.pack"] = function(...)
  return { n = select("#", ...), ... }
end

lib["table.unpack"] = unpack

local stock_new = preload("table.new")
lib["table.new"] = function(n_array, n_hash)
  if type(n_array) ~= "number" or type(n_hash) ~= "number" then
    error("bad argument to 'new' (number expected)", 2)
  end
  return stock_new(n_array < NEW_MAX and n_array or NEW_MAX, n_hash < NEW_MAX and n_hash or NEW_MAX)
end

lib["table.clear"] = preload("table.clear")

lib["table.clone"] = preload("table.clone") or function(t)
  check_table(t, "clone")
  local copy = {}
  for k, v in next, t do
    copy[k] = v
  end
  return copy
end

lib["table.isempty"] = preload("table.isempty") or function(t)
  check_table(t, "isempty")
  return next(t) == nil
end

lib["table.isarray"] = preload("table.isarray") or function(t)
  check_table(t, "isarray")
  for k in next, t do
    if type(k) ~= "number" or k < 1 or floor(k) ~= k then
      return false
    end
  end
  return true
end

lib["table.nkeys"] = preload("table.nkeys") or function(t)
  check_table(t, "nkeys")
  local n = 0
  for _ in next, t do
    n = n + 1
  end
  return n
end

-- require "string.buffer": LuaJIT's buffers without what hands out pointers (ref, reserve,
-- commit, putcdata) and without what would call plugin code from C.
lib["string.buffer"] = function()
  local stock_buffer = preload("string.buffer")
  if not stock_buffer then
    error("this LuaJIT has no string.buffer", 0)
  end
  local methods = getmetatable(stock_buffer.new())
  local put, get, set, skip, encode = methods.put, methods.get, methods.set, methods.skip, methods.encode
  local decode, reset, free, text = methods.decode, methods.reset, methods.free, methods.tostring
  local stock_encode, stock_decode = stock_buffer.encode, stock_buffer.decode
  local format = lib["string.format"]

  local function plain(v)
    local t = type(v)
    if t == "string" or t == "number" then
      return v
    end
    local mt = getmetatable(v)
    if t == "table" and mt and rawget(mt, "__tostring") then
      return tostring(v)
    end
    if t == "userdata" and mt == methods then
      return text(v)
    end
    error("bad argument to 'put' (string expected, got " .. t .. ")", 3)
  end

  -- decode() can make a light userdata out of any bits; no host function shall meet one.
  local function check_plain(v, depth)
    local t = type(v)
    if t == "userdata" or t == "cdata" or depth > 100 then
      error("bad data in buffer: not a plain value", 0)
    end
    if t == "table" then
      for k, e in next, v do
        check_plain(k, depth + 1)
        check_plain(e, depth + 1)
      end
    end
    return v
  end

  -- One C call must not copy the same megabytes thousands of times.
  local function put_all(self, ...)
    for i = 1, select("#", ...) do
      put(self, plain((select(i, ...))))
    end
    return self
  end
  local shown = {
    put = function(self, a, ...)
      if select("#", ...) == 0 then
        return put(self, plain(a))
      end
      return put_all(self, a, ...)
    end,
    putf = function(self, fmt, ...)
      return put(self, format(fmt, ...))
    end,
    set = function(self, s)
      return set(self, C.check_string(s))
    end,
    get = get, skip = skip, reset = reset, free = free, tostring = text,
    encode = encode,
    decode = function(self)
      return check_plain(decode(self), 0)
    end,
  }
  local keep = { __len = methods.__len, __concat = methods.__concat, __eq = methods.__eq }
  for k in stock_pairs(methods) do
    rawset(methods, k, nil)
  end
  methods.__index = shown
  methods.__len = keep.__len
  methods.__tostring = text
  methods.__concat = function(a, b)
    return plain(a) .. plain(b)
  end
  methods.__metatable = false
  return {
    new = function(size)
      if size ~= nil and type(size) ~= "number" then
        error("bad argument #1 to 'new' (number expected, got " .. type(size) .. ")", 2)
      end
      return stock_buffer.new(size and size < NEW_MAX and size > 0 and size or nil)
    end,
    encode = stock_encode,
    decode = function(s)
      return check_plain(stock_decode(C.check_string(s)), 0)
    end,
  }
end

return lib
