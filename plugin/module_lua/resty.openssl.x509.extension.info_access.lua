-- SPDX-License-Identifier: Apache-2.0
-- Where its issuer and OCSP responder are: a list of { nid of what it is, kind of name, name }.
local error, setmetatable, type = error, setmetatable, type
local core = ...
local altname = core.part("resty.openssl.x509.altname")
local M = {}
local ACCESS = { __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.places) ~= "table" then
    error("expect a x509.extension.info_access instance at #1", 3)
  end
  return self.places
end

-- For other modules: of the extension's DER.
function M._of(der)
  local places = core.x509_access(der)
  if not places then
    return nil
  end
  for i, one in ipairs(places) do
    local name = altname._wrap(one.place)[1]
    places[i] = { one.nid, name[1], name[2] }
  end
  return setmetatable({ places = places, der = der }, ACCESS)
end

function M.new()
  return nil, "x509.extension.info_access.new: certificates are read here, not made"
end

function M.istype(v)
  return type(v) == "table" and type(v.places) == "table"
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

ACCESS.__index = function(self, key)
  return type(key) == "number" and self.places[key] or M[key]
end

return M
