-- SPDX-License-Identifier: Apache-2.0
-- Asymmetric keys: new(PEM, DER or JWK), sign(), verify(), to_PEM(), is_private().
local byte, char, error, find, rep, setmetatable, sub, type = string.byte, string.char, error, string.find, string.rep, setmetatable, string.sub, type
local core = ...
local from_jwk = core.part("_jwk")
local load, to_pem, sign, verify = core.pkey_load, core.pkey_pem, core.pkey_sign, core.pkey_verify
local FIELD_BYTES = { [256] = 32, [384] = 48, [521] = 66 }
local M = { PADDINGS = { RSA_PKCS1_PADDING = 1, RSA_PKCS1_PSS_PADDING = 6 } }
local KEY = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.der) ~= "string" then
    error("expect a pkey instance at #1", 3)
  end
end

function M.new(text, opts)
  if type(text) ~= "string" then
    return nil, "pkey.new: unexpected type " .. type(text) .. " at #1"
  end
  if opts ~= nil and type(opts) ~= "table" then
    return nil, "pkey.new: expect a table at #2"
  end
  local der = text
  if (opts and opts.format == "JWK") or find(text, "^%s*{") then
    der = from_jwk(text)
    if not der then
      return nil, "pkey.new: load_pkey: not a JWK of a known kind"
    end
  end
  local full, is_private, kind, bits = load(der)
  if not full then
    return nil, "pkey.new: load_pkey: not a key in PEM, DER or JWK form"
  end
  if opts and ((opts.type == "pr" and not is_private)) then
    return nil, "pkey.new: load_pkey: not a private key"
  end
  return setmetatable({ der = full, is_secret = is_private, kind = kind, bits = bits }, KEY)
end

function M.istype(v)
  return type(v) == "table" and type(v.der) == "string" and type(v.kind) == "string"
end

function M:is_private()
  check(self)
  return self.is_secret
end

function M:get_key_type()
  check(self)
  return { sn = self.kind, ln = self.kind, bits = self.bits }
end

function M:to_PEM(which)
  check(self)
  local pem = to_pem(self.der, which == "private" or which == "PrivateKey")
  if not pem then
    return nil, "pkey:to_PEM: not a private key"
  end
  return pem
end

-- An ECDSA signature: DER's SEQUENCE of two integers as two numbers of n bytes, and back.
local function der_to_raw(der, n)
  local at = byte(der, 2) == 0x81 and 4 or 3
  local out = ""
  for _ = 1, 2 do
    local size = byte(der, at + 1)
    local number = sub(der, at + 2, at + 1 + size):gsub("^%z+", "")
    out, at = out .. rep("\0", n - #number) .. number, at + 2 + size
  end
  return out
end

local function raw_to_der(raw, n)
  local body = ""
  for i = 0, 1 do
    local number = sub(raw, i * n + 1, i * n + n):gsub("^%z+", "")
    if number == "" or byte(number) >= 128 then
      number = "\0" .. number
    end
    body = body .. char(2, #number) .. number
  end
  return (#body > 127 and char(0x30, 0x81, #body) or char(0x30, #body)) .. body
end

local function scheme(self, name, padding)
  if name ~= nil and type(name) ~= "string" then
    name = type(name) == "table" and name.algorithm or "sha256"
  end
  if self.kind == "ED25519" or self.kind == "ED448" then
    return nil, false
  end
  return name or "sha256", padding == M.PADDINGS.RSA_PKCS1_PSS_PADDING
end

local function text_of(v)
  if type(v) == "table" and type(v.parts) == "table" then
    return v:text()
  end
  return v
end

-- opts.ecdsa_use_raw: r and s side by side, as JWS has them (RFC 7518, 3.4).
function M:sign(text, md, padding, opts)
  check(self)
  md = md or (type(text) == "table" and text)
  local name, is_pss = scheme(self, md or nil, padding)
  text = text_of(text)
  if type(text) ~= "string" then
    return nil, "pkey:sign: expect a string or a digest instance at #1"
  end
  local signature = sign(self.der, text, name, is_pss)
  if not signature then
    return nil, "pkey:sign: " .. (self.is_secret and "the key cannot sign so" or "not a private key")
  end
  if opts and opts.ecdsa_use_raw and FIELD_BYTES[self.bits] and self.kind == "id-ecPublicKey" then
    return der_to_raw(signature, FIELD_BYTES[self.bits])
  end
  return signature
end

function M:verify(signature, text, md, padding, opts)
  check(self)
  md = md or (type(text) == "table" and text)
  text = text_of(text)
  if type(signature) ~= "string" then
    return nil, "pkey:verify: expect a string at #1"
  end
  if type(text) ~= "string" then
    return nil, "pkey:verify: expect a string or a digest instance at #2"
  end
  local name, is_pss = scheme(self, md or nil, padding)
  local n = opts and opts.ecdsa_use_raw and self.kind == "id-ecPublicKey" and FIELD_BYTES[self.bits]
  if n then
    if #signature ~= 2 * n then
      return false
    end
    signature = raw_to_der(signature, n)
  end
  return verify(self.der, signature, text, name, is_pss)
end

return M
