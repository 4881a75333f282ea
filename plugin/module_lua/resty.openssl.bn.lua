-- SPDX-License-Identifier: Apache-2.0
-- Big numbers of at most 32,768 bits.
local error, find, format, rep, setmetatable, sub, tonumber, type = error, string.find, string.format, string.rep, setmetatable, string.sub, tonumber, type
local core = ...
local operate, hex, unhex = core.bn_operate, core.hex, core.unhex
local M = {}
local NUMBER = { __index = M, __metatable = false }

local function wrap(text)
  return setmetatable({ hex = text }, NUMBER)
end

function M.istype(v)
  return type(v) == "table" and type(v.hex) == "string"
end

-- The hexadecimal text of a bn or a whole Lua number.
local function text_of(v)
  if M.istype(v) then
    return v.hex
  elseif type(v) == "number" and v % 1 == 0 and v > -2 ^ 53 and v < 2 ^ 53 then
    return v < 0 and format("-%X", -v) or format("%X", v)
  end
  return nil
end

local function check(self)
  if not M.istype(self) then
    error("expect a bn instance at #1", 3)
  end
  return self.hex
end

local function parse(v, base)
  if type(v) == "number" or M.istype(v) then
    return text_of(v)
  elseif type(v) == "string" and (base == nil or base == 10) then
    return core.bn_read(v, true)
  elseif type(v) == "string" and base == 16 then
    return core.bn_read(v, false)
  elseif type(v) == "string" and base == 2 then
    return core.bn_read(hex(v), false)
  end
  return nil
end

function M.new(v, base)
  if v == nil then
    return wrap("0")
  end
  local text = parse(v, base)
  if not text then
    return nil, "bn.new: expect a number, a bn or the text of a number at #1"
  end
  return wrap(core.bn_read(text, false))
end

function M:set(v, base)
  check(self)
  local n, err = M.new(v, base)
  if not n then
    return nil, err
  end
  self.hex = n.hex
  return self
end

function M:dup()
  return wrap(check(self))
end

local function magnitude(text)
  text = text:gsub("^%-", "")
  text = #text % 2 == 1 and "0" .. text or text
  return text == "00" and "" or text
end

function M:to_binary(pad)
  local bytes = unhex(magnitude(check(self)))
  if pad and pad > #bytes and pad <= 4096 then
    bytes = rep("\0", pad - #bytes) .. bytes
  end
  return bytes
end

-- Big endian with four bytes of length before it; the highest bit is the sign.
function M:to_mpi()
  local bytes = unhex(magnitude(check(self)))
  local is_negative = sub(self.hex, 1, 1) == "-"
  if bytes ~= "" and bytes:byte() >= 128 then
    bytes = "\0" .. bytes
  end
  if is_negative then
    bytes = string.char(bytes:byte() + 128) .. sub(bytes, 2)
  end
  return unhex(format("%08x", #bytes)) .. bytes
end

function M:to_hex()
  return check(self)
end

function M:to_dec()
  return core.bn_decimal(check(self))
end
NUMBER.__tostring = M.to_dec

function M:to_number()
  return tonumber(core.bn_decimal(check(self)))
end
M.tonumber = M.to_number

local function reader(name, base)
  return function(text)
    if type(text) ~= "string" then
      return nil, "bn." .. name .. ": expect a string at #1"
    end
    if text == "" and base == 2 then
      return wrap("0")
    end
    local n = parse(text, base)
    if not n then
      return nil, "bn." .. name .. ": not a number"
    end
    return wrap(n)
  end
end
M.from_binary, M.from_hex, M.from_dec = reader("from_binary", 2), reader("from_hex", 16), reader("from_dec", 10)

function M.from_mpi(text)
  if type(text) ~= "string" or #text < 4 or #text ~= 4 + tonumber(hex(sub(text, 1, 4)), 16) then
    return nil, "bn.from_mpi: not a number"
  end
  local bytes = sub(text, 5)
  if bytes == "" then
    return wrap("0")
  end
  local first = bytes:byte()
  if first < 128 then
    return M.from_binary(bytes)
  end
  return wrap(core.bn_read("-" .. hex(string.char(first - 128) .. sub(bytes, 2)), false))
end

-- For other modules: the bytes of what may be a bn, a number or bytes.
function M._bytes(v)
  if type(v) == "string" then
    return v
  end
  local text = text_of(v)
  return text and unhex(magnitude(text))
end

local function operation(name, n_args)
  local function run(...)
    local a, b, c = ...
    local t = { text_of(a), n_args > 1 and text_of(b) or nil, n_args > 2 and text_of(c) or nil }
    if #t < n_args then
      return nil, "bn." .. name .. ": expect a bn or a whole number at #" .. (#t + 1)
    end
    local r
    if name == "sqr" then
      r = operate("mul", t[1], t[1])
    elseif name == "mod_sqr" then
      r = operate("mod_mul", t[1], t[1], t[2])
    else
      r = operate(name, t[1], t[2], t[3])
    end
    if not r then
      return nil, "bn." .. name .. ": no result, or it takes too long"
    end
    return wrap(r)
  end
  M[name] = run
  return function(a, b)
    local r, err = run(a, b)
    if not r then
      error(err, 2)
    end
    return r
  end
end

NUMBER.__add, NUMBER.__sub, NUMBER.__mul = operation("add", 2), operation("sub", 2), operation("mul", 2)
NUMBER.__div, NUMBER.__mod, NUMBER.__pow = operation("div", 2), operation("mod", 2), operation("exp", 2)
for name, n in pairs({ gcd = 2, sqr = 1, mod_add = 3, mod_sub = 3, mod_mul = 3, mod_exp = 3, mod_sqr = 2, mod_inverse = 2,
  lshift = 2, rshift = 2 }) do
  operation(name, n)
end
M.idiv, M.pow = M.div, M.exp

NUMBER.__unm = function(self)
  return wrap(operate("sub", "0", check(self)))
end

function M.cmp(a, b)
  local x, y = text_of(a), text_of(b)
  if not x or not y then
    return nil, "bn.cmp: expect bn or whole numbers"
  end
  return core.bn_compare(x, y)
end

-- Without the signs.
function M.ucmp(a, b)
  local x, y = text_of(a), text_of(b)
  if not x or not y then
    return nil, "bn.ucmp: expect bn or whole numbers"
  end
  return core.bn_compare((x:gsub("^%-", "")), (y:gsub("^%-", "")))
end
NUMBER.__eq = function(a, b)
  return M.cmp(a, b) == 0
end
NUMBER.__lt = function(a, b)
  return M.cmp(a, b) < 0
end
NUMBER.__le = function(a, b)
  return M.cmp(a, b) <= 0
end

function M:is_zero()
  return not find(check(self), "[1-9A-Fa-f]")
end

function M:is_odd()
  return find(check(self), "[13579BDFbdf]$") ~= nil
end

function M:is_word(w)
  check(self)
  return M.cmp(self, w) == 0
end

function M:is_one()
  check(self)
  return M.cmp(self, 1) == 0
end

function M:is_prime()
  local is_prime = core.bn_is_prime(check(self))
  if is_prime == nil then
    return nil, "bn.is_prime: not decided in the CPU time that is left"
  end
  return is_prime
end

function M.generate_prime(bits, is_safe)
  if type(bits) ~= "number" then
    return nil, "bn.generate_prime: expect a number at #1"
  end
  local n = core.bn_make_prime(bits, is_safe)
  if not n then
    return nil, "bn.generate_prime: none was found in the CPU time that is left"
  end
  return wrap(n)
end

return M
