-- SPDX-License-Identifier: Apache-2.0
-- Cookies of the request, and Set-Cookie of the response.
local find, gmatch, ipairs, setmetatable, type = string.find, string.gmatch, ipairs, setmetatable, type
local header, match, tostring = ngx.header, string.match, tostring
local var = ngx.var
local M = { _VERSION = "0.1.0" }
local COOKIE = { __index = M, __metatable = false }

function M:new()
  return setmetatable({}, COOKIE)
end

-- { name = value }, or nil and why.
function M:get_all()
  local text = var.http_cookie
  if not text then
    return nil, "no cookie found in the current request"
  end
  local all = {}
  for pair in gmatch(text, "[^;]+") do
    local name, value = match(pair, "^%s*([^=]-)%s*=%s*(.-)%s*$")
    if name and name ~= "" and all[name] == nil then
      all[name] = match(value, '^"(.*)"$') or value
    end
  end
  return all
end

function M:get(name)
  local all, err = self:get_all()
  if not all then
    return nil, err
  end
  return all[name]
end

function M.get_cookie_string(cookie)
  return (M.bake(cookie))
end

local ATTRIBUTES = { { "expires", "Expires" }, { "max_age", "Max-Age" }, { "domain", "Domain" }, { "path", "Path" } }
local FLAGS = { { "secure", "Secure" }, { "httponly", "HttpOnly" } }

function M.bake(cookie)
  if type(cookie) ~= "table" or not cookie.key or not cookie.value then
    return nil, 'missing cookie field "key" or "value"'
  end
  local text = cookie.key .. "=" .. cookie.value
  for _, a in ipairs(ATTRIBUTES) do
    if cookie[a[1]] then
      text = text .. "; " .. a[2] .. "=" .. tostring(cookie[a[1]])
    end
  end
  for _, a in ipairs(FLAGS) do
    if cookie[a[1]] then
      text = text .. "; " .. a[2]
    end
  end
  if cookie.samesite then
    text = text .. "; SameSite=" .. cookie.samesite
  end
  if cookie.extension then
    text = text .. "; " .. cookie.extension
  end
  if find(text, "[%z\1-\31\127]") then
    return nil, "a cookie cannot hold control characters"
  end
  return text
end

-- Adds a Set-Cookie header to the response.
function M:set(cookie)
  local text, err = M.bake(cookie)
  if not text then
    return nil, err
  end
  local all, old = {}, header["Set-Cookie"]
  for _, v in ipairs(type(old) == "table" and old or { old }) do
    if v == text then
      return true
    end
    all[#all + 1] = v
  end
  all[#all + 1] = text
  header["Set-Cookie"] = all
  return true
end

return M
