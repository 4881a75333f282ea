-- SPDX-License-Identifier: Apache-2.0
-- OpenSSL: the modules resty.openssl.*, and which algorithms there are.
local core = ...
local part = core.part
local M = { _VERSION = "1.7.0", version = part("resty.openssl.version") }
local PARTS = { "asn1", "bn", "cipher", "digest", "hmac", "kdf", "mac", "objects", "pkcs12", "pkey", "provider", "rand", "x509" }

function M.load_modules()
  return true
end
for _, name in ipairs(PARTS) do
  M[name] = part("resty.openssl." .. name)
end

function M.get_fips_mode()
  return false
end

function M.set_fips_mode()
  return false, "openssl.set_fips_mode: not for plugins"
end

function M.list_digest_algorithms()
  return { "MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-384", "SHA3-512" }
end

function M.list_cipher_algorithms()
  local out = {}
  for _, size in ipairs({ 128, 192, 256 }) do
    for _, mode in ipairs({ "CBC", "CTR", "ECB", "CFB", "OFB", "GCM" }) do
      out[#out + 1] = "AES-" .. size .. "-" .. mode
    end
  end
  out[#out + 1] = "ChaCha20-Poly1305"
  return out
end

function M.list_mac_algorithms()
  return { "HMAC", "CMAC", "KMAC-128", "KMAC-256", "POLY1305", "SIPHASH", "BLAKE2BMAC", "BLAKE2SMAC" }
end

function M.list_kdf_algorithms()
  return { "PBKDF2", "HKDF", "SCRYPT" }
end

return M
