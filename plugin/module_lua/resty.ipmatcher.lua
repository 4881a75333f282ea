-- SPDX-License-Identifier: Apache-2.0
-- Is an address in a list of addresses and networks?
local byte, char, error, ipairs, match, pairs = string.byte, string.char, error, ipairs, string.match, pairs
local setmetatable, sort, sub, tonumber, tostring, type = setmetatable, table.sort, string.sub, tonumber, tostring, type
local floor = math.floor
local parse = (...).parse_ip
local M = { _VERSION = "0.6.1" }
local MATCHER = { __index = M, __metatable = false }

function M.parse_ipv4(s)
  if type(s) ~= "string" then
    return false
  end
  local raw = parse(s)
  if not raw or #raw ~= 4 then
    return false
  end
  local a, b, c, d = byte(raw, 1, 4)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

function M.parse_ipv6(s)
  if type(s) ~= "string" then
    return false
  end
  local raw = parse(match(s, "^%[(.*)%]$") or s)
  if not raw or #raw ~= 16 then
    return false
  end
  local words = {}
  for i = 1, 4 do
    local a, b, c, d = byte(raw, i * 4 - 3, i * 4)
    words[i] = ((a * 256 + b) * 256 + c) * 256 + d
  end
  return words
end

-- The first `bits` bits of an address, the rest zero.
local function masked(raw, bits)
  local whole = floor(bits / 8)
  local out, rest = sub(raw, 1, whole), bits - whole * 8
  if rest > 0 then
    local unit = 2 ^ (8 - rest)
    out = out .. char(floor(byte(raw, whole + 1) / unit) * unit)
  end
  return out
end

local function add(self, text, value)
  local address, bits = match(text, "^(.-)/(%d+)$")
  local raw = parse(address or text)
  bits = raw and (bits and tonumber(bits) or #raw * 8)
  if not raw or bits > #raw * 8 then
    return nil, "invalid ip address: " .. text
  end
  local nets = self.nets[#raw]
  if not nets[bits] then
    nets[bits] = {}
    nets.order[#nets.order + 1] = bits
    sort(nets.order, function(a, b)
      return a > b
    end)
  end
  nets[bits][masked(raw, bits)] = value
  return true
end

local function new(list, with_value)
  if type(list) ~= "table" then
    error("missing valid ip argument", 3)
  end
  local self = { nets = { [4] = { order = {} }, [16] = { order = {} } } }
  for k, v in (with_value and pairs or ipairs)(list) do
    local text = with_value and k or v
    if type(text) ~= "string" then
      return nil, "invalid ip address: " .. tostring(text)
    end
    local ok, err = add(self, text, with_value and v or true)
    if not ok then
      return nil, err
    end
  end
  return setmetatable(self, MATCHER)
end

function M.new(list)
  return new(list, false)
end

function M.new_with_value(list)
  return new(list, true)
end

local function match_raw(self, raw)
  local nets = self.nets[#raw]
  for i = 1, #nets.order do
    local bits = nets.order[i]
    local value = nets[bits][masked(raw, bits)]
    if value ~= nil then
      return value
    end
  end
  return false
end

-- The value of the longest network that holds the address, or false.
function M:match(ip)
  local raw = type(ip) == "string" and parse(ip)
  if not raw then
    return nil, "invalid ip address, not ipv4 and ipv6"
  end
  return match_raw(self, raw)
end

-- An address of 4 or 16 bytes.
function M:match_bin(raw)
  if type(raw) ~= "string" or (#raw ~= 4 and #raw ~= 16) then
    return nil, "invalid ip address, not ipv4 and ipv6"
  end
  return match_raw(self, raw)
end

return M
