-- SPDX-License-Identifier: Apache-2.0
-- Revocation lists, read: issuer, times, get_by_serial(), verify().
local error, setmetatable, type = error, setmetatable, type
local core = ...
local part = core.part
local bn, name, pkey = part("resty.openssl.bn"), part("resty.openssl.x509.name"), part("resty.openssl.pkey")
local M = {}
local LIST = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.der) ~= "string" or type(self.facts) ~= "table" then
    error("expect a x509.crl instance at #1", 3)
  end
  return self.facts
end

function M.new(text)
  if type(text) ~= "string" then
    return nil, "x509.crl.new: expect a string at #1"
  end
  local facts = core.x509_read("list", text)
  if not facts then
    return nil, "x509.crl.new: not a list in PEM or DER form, or of more than 1,024 certificates"
  end
  return setmetatable({ der = facts.der, facts = facts }, LIST)
end

function M.istype(v)
  return type(v) == "table" and type(v.der) == "string" and type(v.facts) == "table" and v.facts.revoked ~= nil
end

function M:tostring(format)
  check(self)
  return format == "DER" and self.der or part("_pem")("X509 CRL", self.der)
end
LIST.__tostring = M.tostring

function M:to_PEM()
  return M.tostring(self, "PEM")
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

function M:digest(md)
  check(self)
  return core.digest(md or "sha1", self.der)
end

function M:verify(key)
  check(self)
  if not pkey.istype(key) then
    return false, "x509.crl:verify: expect a pkey instance at #1"
  end
  return core.x509_verify("list", self.der, key.der)
end

return M
