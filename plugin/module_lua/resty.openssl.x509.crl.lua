-- SPDX-License-Identifier: Apache-2.0
-- Revocation lists, read: issuer, times, get_by_serial(), verify().
local type = type
local core = ...
local part = core.part
local bn, name = part("resty.openssl.bn"), part("resty.openssl.x509.name")
local M, read, check = part("_der_class")("x509.crl", "list", "X509 CRL")

function M.new(text)
  if type(text) ~= "string" then
    return nil, "x509.crl.new: expect a string at #1"
  end
  local list = read(text)
  if not list then
    return nil, "x509.crl.new: not a list in PEM or DER form, or of more than 1,024 certificates"
  end
  return list
end

function M:get_version()
  return check(self).version
end

function M:get_issuer_name()
  return name._of(check(self).issuer)
end

function M:get_last_update()
  return check(self).last_update
end

function M:get_next_update()
  return check(self).next_update
end

function M:all()
  return check(self).revoked
end

function M:count()
  return #check(self).revoked
end

-- { serial_number, revoked_at, reason }, or nil: not revoked.
function M:get_by_serial(serial)
  local f = check(self)
  if type(serial) == "string" then
    serial = bn.from_hex(serial)
  elseif type(serial) == "number" then
    serial = bn.new(serial)
  end
  if not bn.istype(serial) then
    return nil, "x509.crl:get_by_serial: expect a bn, a number or hexadecimal text at #1"
  end
  for _, r in ipairs(f.revoked) do
    if bn.from_hex(r.serial) == serial then
      return { serial_number = r.serial, revoked_at = r.time, reason = r.reason }
    end
  end
  return nil
end

return M
