-- SPDX-License-Identifier: Apache-2.0
-- A list of certificates: new(), add(certificate), each(), all(), count().
local error, setmetatable, type = error, setmetatable, type
local x509 = (...).part("resty.openssl.x509")
local M = {}
local CHAIN = { __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.certificates) ~= "table" then
    error("expect a x509.chain instance at #1", 3)
  end
  return self.certificates
end

function M.new()
  return setmetatable({ certificates = {} }, CHAIN)
end

function M.istype(v)
  return type(v) == "table" and type(v.certificates) == "table"
end

function M:add(certificate)
  local all = check(self)
  if not x509.istype(certificate) then
    return nil, "x509.chain:add: expect a x509 instance at #1"
  end
  all[#all + 1] = certificate
  return true
end

function M:each()
  local all, i = check(self), 0
  return function()
    i = i + 1
    if all[i] then
      return i, all[i]
    end
  end
end

function M:all()
  return check(self)
end

function M:count()
  return #check(self)
end

CHAIN.__index = function(self, key)
  return type(key) == "number" and self.certificates[key] or M[key]
end

return M
