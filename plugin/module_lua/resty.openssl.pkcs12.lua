-- SPDX-License-Identifier: Apache-2.0
-- PKCS#12: decode(DER, passphrase) → { key, cert, friendly_name, cacerts }, encode of the same. At most
-- 20,000 rounds of hashing; what OpenSSL calls legacy (RC2, 40 bits) is not read.
local error, ipairs, type = error, ipairs, type
local core = ...
local pkey, x509 = core.part("resty.openssl.pkey"), core.part("resty.openssl.x509")
local M = {}

-- The certificate of the key comes first, whatever their order in the file.
local function own_first(all, key)
  local own = key and core.pkey_public(key.der)
  for i, certificate in ipairs(all) do
    if own and certificate.facts.pubkey == own then
      return certificate, i
    end
  end
  return nil, 0
end

function M.decode(der, passphrase)
  if type(der) ~= "string" then
    error("pkcs12.decode: expect a string at #1", 2)
  elseif passphrase ~= nil and type(passphrase) ~= "string" then
    error("pkcs12.decode: expect a string at #2", 2)
  end
  local r = core.pkcs12_read(der, passphrase or "")
  if not r then
    return nil, "pkcs12.decode: not PKCS#12, not with this passphrase, or with more rounds of hashing than are allowed"
  end
  local all, rest = {}, {}
  for i, text in ipairs(r.certificates) do
    all[i] = x509.new(text)
  end
  local key = pkey._of(r.key)
  local certificate, at = own_first(all, key)
  for i, other in ipairs(all) do
    if i ~= at then
      rest[#rest + 1] = other
    end
  end
  return { key = key, cert = certificate, friendly_name = r.friendly_name, cacerts = rest }
end

local function ders(data)
  local out = { data.cert.der }
  for i, certificate in ipairs(data.cacerts or {}) do
    if not x509.istype(certificate) then
      return nil
    end
    out[i + 1] = certificate.der
  end
  return out
end

function M.encode(data, passphrase)
  if type(data) ~= "table" or not pkey.istype(data.key) or not x509.istype(data.cert) then
    return nil, "pkcs12.encode: expect a table with a pkey in key and a x509 in cert at #1"
  elseif passphrase ~= nil and type(passphrase) ~= "string" then
    return nil, "pkcs12.encode: expect a string at #2"
  end
  local list = ders(data)
  if not list then
    return nil, "pkcs12.encode: expect x509 instances in cacerts"
  end
  local name = type(data.friendly_name) == "string" and data.friendly_name or nil
  local der = core.pkcs12_write(passphrase or "", name, data.key.der, list)
  if not der then
    return nil, "pkcs12.encode: the key is not the certificate's private key"
  end
  return der
end

return M
