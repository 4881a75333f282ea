-- SPDX-License-Identifier: Apache-2.0
-- Strings, as Kong's tools have them.
local error, ipairs, tostring, type = error, ipairs, tostring, type
local byte, find, format, gsub, lower = string.byte, string.find, string.format, string.gsub, string.lower
local decode_base64 = ngx.decode_base64
local decode_base64url = require("ngx.base64").decode_base64url
local stringx = require("pl.stringx")
local M = { join = stringx.join, split = stringx.split }

function M.strip(s)
  if s == nil then
    return ""
  end
  return stringx.strip(tostring(s))
end

-- How many bytes a character takes that begins with this byte, and the range of the second.
local function lead(b)
  if b < 0x80 then
    return 1
  elseif b >= 0xc2 and b <= 0xdf then
    return 2, 0x80, 0xbf
  elseif b >= 0xe0 and b <= 0xef then
    return 3, b == 0xe0 and 0xa0 or 0x80, b == 0xed and 0x9f or 0xbf
  elseif b >= 0xf0 and b <= 0xf4 then
    return 4, b == 0xf0 and 0x90 or 0x80, b == 0xf4 and 0x8f or 0xbf
  end
end

-- true, or false and the position of the first bad byte.
function M.validate_utf8(value)
  local s = tostring(value)
  local i = 1
  while i <= #s do
    local n, low, high = lead(byte(s, i))
    if not n then
      return false, i
    end
    for k = 1, n - 1 do
      local b = byte(s, i + k)
      if not b or b < (k == 1 and low or 0x80) or b > (k == 1 and high or 0xbf) then
        return false, i
      end
    end
    i = i + n
  end
  return true
end

local UNITS = { k = { 2 ^ 10, "KiB" }, m = { 2 ^ 20, "MiB" }, g = { 2 ^ 30, "GiB" } }

function M.bytes_to_str(bytes, unit, scale)
  local u = lower(unit or "")
  if u == "" or u == "b" then
    return format("%d", bytes)
  end
  scale = scale or 2
  if type(scale) ~= "number" or scale < 0 then
    error("scale must be equal or greater than 0", 2)
  end
  if not UNITS[u] then
    error("invalid unit '" .. unit .. "' (expected 'k/K', 'm/M', or 'g/G')", 2)
  end
  return format("%." .. format("%d", scale) .. "f %s", bytes / UNITS[u][1], UNITS[u][2])
end

local function decoded(v)
  return type(v) == "string" and (decode_base64(v) or decode_base64url(v)) or v
end

function M.try_decode_base64(value)
  if type(value) ~= "table" then
    return decoded(value)
  end
  for i, v in ipairs(value) do
    value[i] = decoded(v)
  end
  return value
end

function M.replace_dashes(s)
  return (gsub(s, "-", "_"))
end

function M.replace_dashes_lower(s)
  return (gsub(lower(s), "-", "_"))
end

-- An iterator over the pieces between plain separators, at most max of them.
function M.isplitn(s, separator, max)
  local from, n = 1, 0
  return function()
    if not from then
      return nil
    end
    n = n + 1
    local first, last
    if separator ~= "" and n ~= max then
      first, last = find(s, separator, from, true)
    end
    local piece = s:sub(from, first and first - 1)
    from = last and last + 1
    return piece
  end
end

function M.isplit(s, separator)
  return M.isplitn(s, separator)
end

function M.splitn(s, separator, max)
  local list = {}
  for piece in M.isplitn(s, separator, max) do
    list[#list + 1] = piece
  end
  return list, #list
end

function M.split_once(s, separator)
  local first, last = find(s, separator, 1, true)
  if not first then
    return s, nil
  end
  return s:sub(1, first - 1), s:sub(last + 1)
end

return M
