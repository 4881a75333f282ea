-- SPDX-License-Identifier: Apache-2.0
-- Where revocation lists are: a list of points, each a x509.altname of its places.
local error, setmetatable, type = error, setmetatable, type
local core = ...
local altname = core.part("resty.openssl.x509.altname")
local M = {}
local POINTS = { __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.points) ~= "table" then
    error("expect a x509.extension.dist_points instance at #1", 3)
  end
  return self.points
end

-- For other modules: of the extension's DER.
function M._of(der)
  local points = core.x509_points(der)
  if not points then
    return nil
  end
  for i, names in ipairs(points) do
    points[i] = altname._wrap(names)
  end
  return setmetatable({ points = points, der = der }, POINTS)
end

function M.new()
  return nil, "x509.extension.dist_points.new: certificates are read here, not made"
end

function M.istype(v)
  return type(v) == "table" and type(v.points) == "table"
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

POINTS.__index = function(self, key)
  return type(key) == "number" and self.points[key] or M[key]
end

return M
