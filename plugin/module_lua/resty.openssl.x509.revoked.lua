-- SPDX-License-Identifier: Apache-2.0
-- What a revocation list says of one certificate: new(serial number, time, reason), its fields.
local setmetatable, type = setmetatable, type
local bn = (...).part("resty.openssl.bn")
local M = {}
local REVOKED = { __index = M, __metatable = false }

function M.new(serial, time, reason)
  if type(serial) == "number" then
    serial = bn.new(serial)
  end
  if not bn.istype(serial) then
    return nil, "x509.revoked.new: expect a number or a bn at #1"
  elseif type(time) ~= "number" then
    return nil, "x509.revoked.new: expect a number at #2"
  elseif reason ~= nil and type(reason) ~= "number" then
    return nil, "x509.revoked.new: expect a number at #3"
  end
  return setmetatable({ serial_number = serial:to_hex(), revoked_at = time, reason = reason or 0 }, REVOKED)
end

function M.istype(v)
  return type(v) == "table" and type(v.serial_number) == "string" and type(v.revoked_at) == "number"
end

return M
