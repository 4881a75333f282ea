-- SPDX-License-Identifier: Apache-2.0
-- Content-Type and Accept values (RFC 2045): type, subtype, parameters.
local find, ipairs, lower, match, sub, type = string.find, ipairs, string.lower, string.match, string.sub, type
local TOKEN = "[^%c%s\128-\255()<>@,;:\\\"/%[%]?={}]+"
local M = {}

local function quoted_end(s, at)
  while at <= #s do
    local c = sub(s, at, at)
    if c == '"' then
      return at
    end
    if find(c, "%c") then
      return nil
    end
    at = at + (c == "\\" and 2 or 1)
  end
end

-- name, value and the position behind them.
local function parameter(s, at)
  local name, next_at = match(s, "^[ \t]*;[ \t]*(" .. TOKEN .. ")=()", at)
  if not name then
    return nil
  end
  if sub(s, next_at, next_at) == '"' then
    local last = quoted_end(s, next_at + 1)
    if not last then
      return nil
    end
    return name, sub(s, next_at + 1, last - 1), last + 1
  end
  local value, behind = match(s, "^(" .. TOKEN .. ")()", next_at)
  return value and name, value, behind
end

function M.parse_mime_type(s, opts)
  opts = opts or {}
  if type(s) ~= "string" then
    return nil
  end
  local kind, subtype, at = match(s, "^(" .. TOKEN .. ")/(" .. TOKEN .. ")()")
  if not kind then
    if sub(s, 1, 1) ~= "*" then
      return nil
    end
    kind, subtype, at = "*", "*", 2
  end
  local lowered, params = {}, {}
  for _, name in ipairs(opts.ignorecase_params or {}) do
    lowered[name] = true
  end
  while at <= #s do
    local name, value, behind = parameter(s, at)
    if not name then
      return nil
    end
    local small = lower(name)
    params[(opts.param_key_ignorecase or lowered[small]) and small or name] = value
    at = behind
  end
  return kind, subtype, params
end

-- Does the first, {type =, subtype =}, cover the second?
function M.includes(this, other)
  if type(this) ~= "table" or type(other) ~= "table" then
    return false
  end
  return this.type == "*" or (this.type == other.type and (this.subtype == "*" or this.subtype == other.subtype))
end

return M
