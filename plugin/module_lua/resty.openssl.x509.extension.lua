-- SPDX-License-Identifier: Apache-2.0
-- Extensions of a certificate, as they are read: get_object(), get_critical(), text(), to_der().
local error, setmetatable, type = error, setmetatable, type
local M = {}
local EXTENSION = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.data) ~= "string" or type(self.object) ~= "table" then
    error("expect a x509.extension instance at #1", 3)
  end
  return self
end

-- For other modules.
function M._of(e)
  return setmetatable({
    object = { id = e.id, nid = e.nid, sn = e.sn, ln = e.ln }, critical = e.critical, data = e.data, shown = e.text,
  }, EXTENSION)
end

function M.new()
  return nil, "x509.extension.new: certificates are read here, not made"
end

function M.istype(v)
  return type(v) == "table" and type(v.data) == "string" and type(v.object) == "table"
end

function M:get_object()
  return check(self).object
end

function M:get_critical()
  return check(self).critical
end

-- As openssl(1) prints it.
function M:text()
  return check(self).shown
end
M.tostring, EXTENSION.__tostring = M.text, M.text

-- The value: what the OCTET STRING holds.
function M:to_der()
  return check(self).data
end

return M
