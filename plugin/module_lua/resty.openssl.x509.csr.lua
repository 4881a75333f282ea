-- SPDX-License-Identifier: Apache-2.0
-- Requests for a certificate, read: subject, key, extensions, verify().
local error, setmetatable, type = error, setmetatable, type
local core = ...
local part = core.part
local altname, extension, name = part("resty.openssl.x509.altname"), part("resty.openssl.x509.extension"), part("resty.openssl.x509.name")
local pkey = part("resty.openssl.pkey")
local M = {}
local REQUEST = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.der) ~= "string" or type(self.facts) ~= "table" then
    error("expect a x509.csr instance at #1", 3)
  end
  return self.facts
end

function M.new(text)
  if type(text) ~= "string" then
    return nil, "x509.csr.new: expect a string at #1"
  end
  local facts = core.x509_read("request", text)
  if not facts then
    return nil, "x509.csr.new: not a request in PEM or DER form"
  end
  return setmetatable({ der = facts.der, facts = facts }, REQUEST)
end

function M.istype(v)
  return type(v) == "table" and type(v.der) == "string" and type(v.facts) == "table" and v.facts.not_after == nil
end

function M:tostring(format)
  check(self)
  return format == "DER" and self.der or part("_pem")("CERTIFICATE REQUEST", self.der)
end
REQUEST.__tostring = M.tostring

function M:to_PEM()
  return M.tostring(self, "PEM")
end

function M:get_version()
  return check(self).version
end

function M:get_subject_name()
  return name._of(check(self).subject)
end

function M:get_pubkey()
  return pkey._of(check(self).pubkey)
end

function M:get_signature_name()
  return check(self).signature_name
end

function M:get_extensions()
  local out = {}
  for i, e in ipairs(check(self).extensions) do
    out[i] = extension._of(e)
  end
  return out
end

function M:get_subject_alt_name()
  for _, e in ipairs(check(self).extensions) do
    if e.sn == "subjectAltName" then
      return altname._of(e.data)
    end
  end
end

function M:verify(key)
  check(self)
  if not pkey.istype(key) then
    return false, "x509.csr:verify: expect a pkey instance at #1"
  end
  return core.x509_verify("request", self.der, key.der)
end

return M
