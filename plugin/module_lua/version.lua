-- SPDX-License-Identifier: Apache-2.0
-- Versions "1.2.3": comparable, with ranges and sets.
local error, gmatch, ipairs, match = error, string.gmatch, ipairs, string.match
local setmetatable, tonumber, tostring, type = setmetatable, tonumber, tostring, type
local VERSION, RANGE, SET = { __metatable = false }, { __metatable = false }, { __metatable = false }
VERSION.__index, RANGE.__index, SET.__index = {}, {}, {}

local function parse(v, is_strict)
  if type(v) == "table" then
    return v
  end
  local text = tostring(v)
  local digits = match(text, is_strict and "^%d+[%d.]*$" or "%d+[%d.]*")
  if not digits then
    return nil, "Not a valid version element: '" .. text .. "'"
  end
  local parsed = {}
  for n in gmatch(digits, "%d+") do
    parsed[#parsed + 1] = tonumber(n)
  end
  return setmetatable(parsed, VERSION)
end

local function must(v)
  local parsed, err = parse(v)
  if not parsed then
    error(err, 3)
  end
  return parsed
end

local function compare(a, b)
  for i = 1, #a > #b and #a or #b do
    local x, y = a[i] or 0, b[i] or 0
    if x ~= y then
      return x < y and -1 or 1
    end
  end
  return 0
end

function VERSION.__eq(a, b)
  return compare(a, b) == 0
end

function VERSION.__lt(a, b)
  return compare(must(a), must(b)) < 0
end

function VERSION.__le(a, b)
  return compare(must(a), must(b)) <= 0
end

function VERSION.__tostring(v)
  local text = tostring(v[1])
  for i = 2, #v do
    text = text .. "." .. v[i]
  end
  return text
end

-- Same first number, and not older.
function VERSION.__index:semver(other)
  other = must(other)
  return self[1] == other[1] and compare(other, self) >= 0
end

function RANGE.__index:matches(v)
  v = must(v)
  return compare(v, self.from) >= 0 and compare(v, self.to) <= 0
end

function RANGE.__tostring(r)
  return tostring(r.from) .. " to " .. tostring(r.to)
end

local function range(from, to)
  from = from or "0"
  local first, last = must(from), must(to or from)
  if compare(first, last) > 0 then
    error("FROM version must be less than or equal to the TO version", 2)
  end
  return setmetatable({ from = first, to = last }, RANGE)
end

local function add(list, from, to)
  list[#list + 1] = range(from, to)
end

function SET.__index:allowed(from, to)
  add(self.ok, from, to)
  return self
end

function SET.__index:disallowed(from, to)
  add(self.nok, from, to)
  return self
end

function SET.__index:matches(v)
  for _, r in ipairs(self.nok) do
    if r:matches(v) then
      return false
    end
  end
  for _, r in ipairs(self.ok) do
    if r:matches(v) then
      return true
    end
  end
  return false
end

local function set(from, to)
  local s = setmetatable({ ok = {}, nok = {} }, SET)
  return from and s:allowed(from, to) or s
end

return setmetatable({
  _VERSION = "1.0.1",
  version = must,
  range = range,
  set = set,
  strict = function(v)
    return parse(v, true)
  end,
}, {
  __call = function(_, v)
    return must(v)
  end,
})
