-- SPDX-License-Identifier: Apache-2.0
-- Certificates, read: new(PEM or DER), subject, issuer, serial, times, key, extensions, digest(),
-- verify(), to_PEM().
local find, type = string.find, type
local core = ...
local part = core.part
local altname, bn, extension = part("resty.openssl.x509.altname"), part("resty.openssl.bn"), part("resty.openssl.x509.extension")
local name, pkey, objects = part("resty.openssl.x509.name"), part("resty.openssl.pkey"), part("resty.openssl.objects")
local dist_points, info_access = part("resty.openssl.x509.extension.dist_points"), part("resty.openssl.x509.extension.info_access")
local M, read, check = part("_der_class")("x509", "certificate", "CERTIFICATE")

function M.new(text, format)
  if type(text) ~= "string" then
    return nil, "x509.new: expect a string at #1"
  end
  if format ~= nil and format ~= "PEM" and format ~= "DER" and format ~= "*" then
    return nil, "x509.new: expect PEM, DER or * at #2"
  end
  local certificate = read(text)
  if not certificate then
    return nil, "x509.new: not a certificate in PEM or DER form"
  end
  return certificate
end

function M:dup()
  check(self)
  return M.new(self.der)
end

function M:get_version()
  return check(self).version
end

function M:get_serial_number()
  return bn.from_hex(check(self).serial)
end

function M:get_not_before()
  return check(self).not_before
end

function M:get_not_after()
  return check(self).not_after
end

function M:get_lifetime()
  local f = check(self)
  return f.not_before, f.not_after
end

function M:get_subject_name()
  return name._of(check(self).subject)
end

function M:get_issuer_name()
  return name._of(check(self).issuer)
end

function M:get_pubkey()
  local key = pkey._of(check(self).pubkey)
  if not key then
    return nil, "x509:get_pubkey: a key of an unknown kind"
  end
  return key
end

function M:get_signature_nid()
  return check(self).signature_nid
end

function M:get_signature_name()
  return check(self).signature_name
end

function M:get_signature_digest_name()
  return check(self).signature_digest
end

function M:pubkey_digest(md)
  return core.digest(md or "sha1", check(self).pubkey_bits or "")
end

function M:get_extensions()
  local out = {}
  for i, e in ipairs(check(self).extensions) do
    out[i] = extension._of(e)
  end
  return out
end

local function find_extension(self, what, last)
  local nid = objects.txtnid2nid(what)
  for i, e in ipairs(self.facts.extensions) do
    if i > (last or 0) and nid and nid ~= 0 and e.nid == nid or e.id == what then
      return e, i
    end
  end
end

function M:get_extension(what, last)
  check(self)
  local e, i = find_extension(self, what, last)
  if not e then
    return nil
  end
  return extension._of(e), i
end

function M:get_extension_critical(what)
  check(self)
  local e = find_extension(self, what)
  return e ~= nil and e.critical
end

local function altnames(self, what)
  local e = find_extension(self, what)
  return e and altname._of(e.data)
end

function M:get_subject_alt_name()
  check(self)
  return altnames(self, "subjectAltName")
end

function M:get_issuer_alt_name()
  check(self)
  return altnames(self, "issuerAltName")
end

-- { ca = boolean, pathlen = number }, or the member of that name.
function M:get_basic_constraints(which)
  check(self)
  local e = find_extension(self, "basicConstraints")
  if not e then
    return nil
  end
  local text = e.text or ""
  local all = { ca = find(text, "CA:TRUE", 1, true) ~= nil, pathlen = tonumber(text:match("pathlen:(%d+)")) }
  if which ~= nil then
    return all[tostring(which):lower()]
  end
  return all
end

local function addresses(self, what, pattern, want_all)
  local e, out = find_extension(self, what), {}
  for address in ((e and e.text) or ""):gmatch(pattern) do
    out[#out + 1] = address
  end
  if want_all then
    return out
  end
  return out[1]
end

function M:get_ocsp_url(want_all)
  check(self)
  return addresses(self, "authorityInfoAccess", "OCSP %- URI:([^\n]+)", want_all)
end

function M:get_crl_url(want_all)
  check(self)
  return addresses(self, "crlDistributionPoints", "URI:([^\n]+)", want_all)
end

function M:get_info_access()
  check(self)
  local e = find_extension(self, "authorityInfoAccess")
  return e and info_access._of(e.data)
end

function M:get_crl_distribution_points()
  check(self)
  local e = find_extension(self, "crlDistributionPoints")
  return e and dist_points._of(e.data)
end

function M:check_private_key(key)
  local f = check(self)
  if not pkey.istype(key) or not key:is_private() then
    return false, "x509:check_private_key: expect a private key at #1"
  end
  if core.pkey_public(key.der) ~= core.pkey_public(f.pubkey) then
    return false, "x509:check_private_key: the key is another one"
  end
  return true
end

return M
