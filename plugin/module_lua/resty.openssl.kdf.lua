-- SPDX-License-Identifier: Apache-2.0
-- Key derivation: derive{ type = PBKDF2, HKDF or SCRYPT, … } (at most 20,000 rounds in a call, scrypt
-- as the CPU time that is left allows).
local ceil, char, sub, type = math.ceil, string.char, string.sub, type
local hmac, pbkdf2 = (...).hmac, (...).pbkdf2
local scrypt = (...).scrypt
local M = { PBKDF2 = 69, HKDF = 1036, SCRYPT = 973 }

local function derive_pbkdf2(o)
  local out = pbkdf2(o.pass, o.salt or "", o.pbkdf2_iter or 1, o.outlen, o.md or "sha1")
  if not out then
    return nil, "kdf.derive: invalid digest type"
  end
  return out
end

-- RFC 5869.
local function derive_hkdf(o)
  local md = o.md or "sha1"
  local zero = hmac(md, "", "")
  if not zero or type(o.hkdf_key) ~= "string" then
    return nil, zero and "kdf.derive: hkdf_key must be a string" or "kdf.derive: invalid digest type"
  end
  local key = hmac(md, o.salt or ("\0"):rep(#zero), o.hkdf_key)
  local rounds = ceil(o.outlen / #zero)
  if rounds > 255 then
    return nil, "kdf.derive: outlen is too large"
  end
  local out, last = "", ""
  for i = 1, rounds do
    last = hmac(md, key, last .. (o.hkdf_info or "") .. char(i))
    out = out .. last
  end
  return sub(out, 1, o.outlen)
end

local function derive_scrypt(o)
  local n, r, p = o.scrypt_N or 16384, o.scrypt_r or 8, o.scrypt_p or 1
  if type(o.pass) ~= "string" or type(n) ~= "number" or type(r) ~= "number" or type(p) ~= "number" then
    return nil, "kdf.derive: pass must be a string, scrypt_N, scrypt_r and scrypt_p numbers"
  end
  local out, why = scrypt(o.pass, o.salt or "", n, r, p, o.outlen)
  if not out then
    return nil, "kdf.derive: " .. why
  end
  return out
end

function M.derive(options)
  if type(options) ~= "table" then
    return nil, "kdf.derive: expect a table at #1"
  end
  if type(options.outlen) ~= "number" or options.outlen < 1 then
    return nil, "kdf.derive: outlen must be a number"
  end
  if options.type == M.PBKDF2 then
    if type(options.pass) ~= "string" then
      return nil, "kdf.derive: pass must be a string"
    end
    return derive_pbkdf2(options)
  elseif options.type == M.HKDF then
    return derive_hkdf(options)
  elseif options.type == M.SCRYPT then
    return derive_scrypt(options)
  end
  return nil, "kdf.derive: only PBKDF2, HKDF and SCRYPT are available"
end

return M
