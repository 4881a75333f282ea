-- SPDX-License-Identifier: Apache-2.0
-- HMAC: new(self, key, algorithm), update(text), final([text], [as hexadecimal]), reset().
local concat, error, setmetatable, type = table.concat, error, setmetatable, type
local core = ...
local hmac, hex = core.hmac, core.hex
local ALGOS = { MD5 = "md5", SHA1 = "sha1", SHA256 = "sha256", SHA384 = "sha384", SHA512 = "sha512" }
local M = { _VERSION = "0.06", ALGOS = ALGOS }
local HMAC = { __index = M, __metatable = false }

function M:new(key, algorithm)
  algorithm = algorithm or ALGOS.MD5
  if type(key) ~= "string" or not hmac(algorithm, key, "") then
    return nil
  end
  return setmetatable({ key = key, algorithm = algorithm, parts = {} }, HMAC)
end

local function check(self)
  if type(self) ~= "table" or type(self.parts) ~= "table" then
    error("not an hmac object", 3)
  end
  return self.parts
end

function M:update(text)
  local parts = check(self)
  if type(text) ~= "string" then
    return false
  end
  parts[#parts + 1] = text
  return true
end

function M:final(text, is_hex)
  local parts = check(self)
  if type(text) == "string" then
    parts[#parts + 1] = text
  end
  local raw = hmac(self.algorithm, self.key, concat(parts))
  return is_hex and hex(raw) or raw
end

function M:reset()
  check(self)
  self.parts = {}
  return true
end

return M
