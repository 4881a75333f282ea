-- SPDX-License-Identifier: Apache-2.0
-- HMAC: new(key, digest name), update(text …), final([text]) → bytes, reset().
local ipairs, setmetatable, type, concat, error = ipairs, setmetatable, type, table.concat, error
local hmac = (...).hmac
local M = {}
local OBJECT = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.parts) ~= "table" then
    error("expect a hmac instance at #1", 3)
  end
  return self.parts
end

function M.new(key, name)
  name = name or "sha1"
  if type(key) ~= "string" then
    return nil, "hmac.new: expect a string at #1"
  end
  if type(name) ~= "string" or not hmac(name, key, "") then
    return nil, 'hmac.new: invalid digest type "' .. (type(name) == "string" and name or type(name)) .. '"'
  end
  return setmetatable({ key = key, algorithm = name, parts = {} }, OBJECT)
end

function M.istype(v)
  return type(v) == "table" and type(v.parts) == "table" and type(v.key) == "string"
end

function M:update(...)
  local parts = check(self)
  for _, text in ipairs({ ... }) do
    if type(text) ~= "string" then
      return nil, "hmac:update: expect strings"
    end
    parts[#parts + 1] = text
  end
  return true
end

function M:final(text)
  local parts = check(self)
  if type(text) == "string" then
    parts[#parts + 1] = text
  end
  return hmac(self.algorithm, self.key, concat(parts))
end

function M:reset()
  check(self)
  self.parts = {}
  return true
end

return M
