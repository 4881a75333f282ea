-- SPDX-License-Identifier: Apache-2.0
-- Requests for a certificate, read: subject, key, extensions, verify().
local type = type
local core = ...
local part = core.part
local altname, extension, name = part("resty.openssl.x509.altname"), part("resty.openssl.x509.extension"), part("resty.openssl.x509.name")
local pkey = part("resty.openssl.pkey")
local M, read, check = part("_der_class")("x509.csr", "request", "CERTIFICATE REQUEST")

function M.new(text)
  if type(text) ~= "string" then
    return nil, "x509.csr.new: expect a string at #1"
  end
  local request = read(text)
  if not request then
    return nil, "x509.csr.new: not a request in PEM or DER form"
  end
  return request
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

return M
