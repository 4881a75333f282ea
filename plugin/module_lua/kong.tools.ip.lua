-- SPDX-License-Identifier: Apache-2.0
-- Addresses, networks and host names as text.
local concat, find, format, gsub, match = table.concat, string.find, string.format, string.gsub, string.match
local ipairs, sub, tonumber, type = ipairs, string.sub, tonumber, type
local parse = (...).parse_ip
local split = require("pl.stringx").split
local M = {}

-- Bytes of an address: 4, 16, or nothing.
local function size(s)
  local raw = type(s) == "string" and parse(s)
  return raw and #raw
end

local function cidr_size(s)
  local address, bits = match(type(s) == "string" and s or "", "^([^/]+)/(%d+)$")
  local n = address and size(address)
  local is_plain = bits and (bits == "0" or sub(bits, 1, 1) ~= "0")
  return n and is_plain and tonumber(bits) <= n * 8 and n
end

function M.is_valid_ipv4(s)
  return size(s) == 4
end

function M.is_valid_ipv6(s)
  return size(s) == 16
end

function M.is_valid_ip(s)
  return size(s) and true or false
end

function M.is_valid_cidr_v4(s)
  return cidr_size(s) == 4
end

function M.is_valid_cidr_v6(s)
  return cidr_size(s) == 16
end

function M.is_valid_cidr(s)
  return cidr_size(s) and true or false
end

function M.is_valid_ip_or_cidr_v4(s)
  return size(s) == 4 or cidr_size(s) == 4
end

function M.is_valid_ip_or_cidr_v6(s)
  return size(s) == 16 or cidr_size(s) == 16
end

function M.is_valid_ip_or_cidr(s)
  return M.is_valid_ip(s) or M.is_valid_cidr(s)
end

function M.hostname_type(name)
  local rest, colons = gsub(name, ":", "")
  if colons > 1 then
    return "ipv6"
  end
  return match(rest, "^[%d%.]+$") and "ipv4" or "name"
end

-- Port text as a number; nil and why when it is none.
local function port_of(text)
  if text == nil then
    return nil
  end
  local port = tonumber(text)
  if not port or port > 65535 then
    return nil, "invalid port number"
  end
  return port
end

function M.normalize_ipv4(address)
  local host, port_text = match(address, "^([^:]*):(%d+)$")
  local a, b, c, d = match(host or address, "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
  if not a then
    return nil, "invalid ipv4 address: " .. address
  end
  for _, n in ipairs({ a, b, c, d }) do
    if tonumber(n) > 255 then
      return nil, "invalid ipv4 address: " .. address
    end
  end
  local port, err = port_of(port_text)
  if err then
    return nil, err
  end
  return format("%d.%d.%d.%d", a, b, c, d), port
end

function M.normalize_ipv6(address)
  local host, rest = match(address, "^%[(.*)%](.*)$")
  local port, err
  if rest and rest ~= "" then
    local text = match(rest, "^:(%d+)$")
    if not text then
      return nil, "invalid ipv6 address"
    end
    port, err = port_of(text)
    if err then
      return nil, err
    end
  end
  local raw = parse(host or address)
  if not raw or #raw ~= 16 then
    return nil, "invalid ipv6 address: " .. address
  end
  local words = {}
  for i = 1, 16, 2 do
    words[#words + 1] = format("%02x%02x", raw:byte(i, i + 1))
  end
  return concat(words, ":"), port
end

function M.check_hostname(address)
  local name, port_text = match(address, "^(.*):(%d+)$")
  local port, err = port_of(port_text)
  if err then
    return nil, err
  end
  name = name or address
  if not find(name, "^[%w%-%._]+$") then
    return nil, "invalid hostname: " .. address
  end
  local parts = split(name, ".")
  for i, part in ipairs(parts) do
    if find(part, "%-$") or (part == "" and i ~= #parts) then
      return nil, "invalid hostname: " .. address
    end
  end
  return name, port
end

local CHECKS = { ipv4 = M.normalize_ipv4, ipv6 = M.normalize_ipv6, name = M.check_hostname }

function M.normalize_ip(address)
  local kind = M.hostname_type(address)
  local host, port = CHECKS[kind](address)
  if not host then
    return nil, port
  end
  return { type = kind, host = host, port = port }
end

function M.format_host(host, port)
  if host == nil then
    return nil, port
  end
  local kind
  if type(host) == "table" then
    port, kind, host = host.port or port, host.type, host.host
  elseif type(host) ~= "string" then
    return nil, "cannot format type '" .. type(host) .. "'"
  end
  kind = kind or M.hostname_type(host)
  local tail = port and ":" .. port or ""
  if kind == "ipv6" and not find(host, "[", 1, true) then
    local normal, err = M.normalize_ipv6(host)
    if not normal then
      return nil, err
    end
    return "[" .. normal .. "]" .. tail
  end
  return host .. tail
end

return M
