-- SPDX-License-Identifier: Apache-2.0
-- Digests: new(name), update(text …), final([text]) → bytes, reset().
local ipairs, setmetatable, type, concat, error = ipairs, setmetatable, type, table.concat, error
local digest = (...).digest
local M = {}
local OBJECT = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.parts) ~= "table" then
    error("expect a digest instance at #1", 3)
  end
  return self.parts
end

function M.new(name)
  name = name or "sha1"
  if type(name) ~= "string" or not digest(name, "") then
    return nil, 'digest.new: invalid digest type "' .. (type(name) == "string" and name or type(name)) .. '"'
  end
  return setmetatable({ algorithm = name, parts = {} }, OBJECT)
end

function M.istype(v)
  return type(v) == "table" and type(v.parts) == "table" and type(v.algorithm) == "string"
end

function M:update(...)
  local parts = check(self)
  for _, text in ipairs({ ... }) do
    if type(text) ~= "string" then
      return nil, "digest:update: expect strings"
    end
    parts[#parts + 1] = text
  end
  return true
end

function M:text()
  return concat(check(self))
end

function M:final(text)
  local parts = check(self)
  if type(text) == "string" then
    parts[#parts + 1] = text
  end
  return digest(self.algorithm, concat(parts))
end

function M:reset()
  check(self)
  self.parts = {}
  return true
end

return M
