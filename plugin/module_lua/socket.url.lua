-- SPDX-License-Identifier: Apache-2.0
-- URLs: parse, build, absolute, escape (RFC 3986 with RFC 2396's params).
local byte, char, concat, find, format, gsub = string.byte, string.char, table.concat, string.find, string.format, string.gsub
local ipairs, match, pairs, sub, tonumber, type = ipairs, string.match, pairs, string.sub, tonumber, type
local M = { _VERSION = "URL 1.0.3" }

function M.escape(s)
  return (gsub(s, "[^A-Za-z0-9_]", function(c)
    return format("%%%02x", byte(c))
  end))
end

function M.unescape(s)
  return (gsub(s, "%%(%x%x)", function(h)
    return char(tonumber(h, 16))
  end))
end

local function take_authority(parsed)
  local rest = parsed.authority
  local userinfo, host = match(rest, "^([^@]*)@(.*)$")
  if userinfo then
    parsed.userinfo, rest = userinfo, host
    local user, password = match(userinfo, "^(.-):([^:]*)$")
    parsed.user, parsed.password = user or userinfo, password
  end
  local before, port = match(rest, "^(.*):([^:%]]*)$")
  if before then
    parsed.port, rest = port ~= "" and port or nil, before
  end
  if rest ~= "" then
    parsed.host = match(rest, "^%[(.+)%]$") or rest
  end
end

function M.parse(url, default)
  local parsed = {}
  for k, v in pairs(default or {}) do
    parsed[k] = v
  end
  if not url or url == "" then
    return nil, "invalid url"
  end
  local function take(pattern, name)
    local from, to, text = find(url, pattern)
    if from then
      parsed[name], url = text, sub(url, 1, from - 1) .. sub(url, to + 1)
    end
  end
  take("#(.*)$", "fragment")
  take("^([%w][%w%+%-%.]*):", "scheme")
  take("^//([^/?]*)", "authority")
  take("%?(.*)$", "query")
  take(";(.*)$", "params")
  if url ~= "" then
    parsed.path = url
  end
  if parsed.authority then
    take_authority(parsed)
  end
  return parsed
end

local function authority_of(parsed)
  if not parsed.host then
    return parsed.authority
  end
  local text = parsed.host
  if find(text, ":", 1, true) then
    text = "[" .. text .. "]"
  end
  if parsed.port then
    text = text .. ":" .. parsed.port
  end
  local userinfo = parsed.userinfo
  if parsed.user then
    userinfo = parsed.user .. (parsed.password and ":" .. parsed.password or "")
  end
  return userinfo and userinfo .. "@" .. text or text
end

function M.build(parsed)
  local url = parsed.path or ""
  if parsed.params then
    url = url .. ";" .. parsed.params
  end
  if parsed.query then
    url = url .. "?" .. parsed.query
  end
  local authority = authority_of(parsed)
  if authority then
    url = "//" .. authority .. url
  end
  if parsed.scheme then
    url = parsed.scheme .. ":" .. url
  end
  return parsed.fragment and url .. "#" .. parsed.fragment or url
end

-- Takes "." and ".." out of a path (RFC 3986, 5.2.4).
local function without_dots(path)
  local out, is_rooted = {}, sub(path, 1, 1) == "/"
  local ends_open = find(path, "/%.?%.?$") ~= nil
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      if #out > 0 and out[#out] ~= ".." then
        out[#out] = nil
      elseif not is_rooted then
        out[#out + 1] = part
      end
    elseif part ~= "." then
      out[#out + 1] = part
    end
  end
  local text = (is_rooted and "/" or "") .. concat(out, "/")
  return ends_open and #out > 0 and text .. "/" or text
end

function M.absolute(base, relative)
  local b = type(base) == "table" and base or M.parse(base)
  if not b then
    return relative
  end
  local r = M.parse(relative)
  if not r then
    return M.build(b)
  end
  if r.scheme then
    return relative
  end
  r.scheme = b.scheme
  if not r.authority then
    r.authority, r.host, r.port, r.userinfo, r.user, r.password = b.authority, b.host, b.port, b.userinfo, b.user, b.password
    if not r.path then
      r.path = b.path
      if not r.params then
        r.params, r.query = b.params, r.query or b.query
      end
    elseif sub(r.path, 1, 1) ~= "/" then
      r.path = (b.path and match(b.path, "^(.*/)") or (b.authority and "/" or "")) .. r.path
    end
  end
  if r.path then
    r.path = without_dots(r.path)
  end
  return M.build(r)
end

function M.parse_path(path)
  local parsed = {}
  for part in (path or ""):gmatch("[^/]+") do
    parsed[#parsed + 1] = M.unescape(part)
  end
  if sub(path or "", 1, 1) == "/" then
    parsed.is_absolute = 1
  end
  if sub(path or "", -1) == "/" then
    parsed.is_directory = 1
  end
  return parsed
end

function M.build_path(parsed, is_unsafe)
  local parts = {}
  for i, part in ipairs(parsed) do
    parts[i] = is_unsafe and part or M.escape(part)
  end
  local path = concat(parts, "/")
  if parsed.is_directory and #parts > 0 then
    path = path .. "/"
  end
  return parsed.is_absolute and "/" .. path or path
end

return M
