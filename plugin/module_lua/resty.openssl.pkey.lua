-- SPDX-License-Identifier: Apache-2.0
-- Asymmetric keys: new(PEM, DER, JWK or what to generate), sign(), verify(), encrypt(), decrypt(),
-- derive(), get_parameters(), tostring().
local byte, char, error, find, rep, setmetatable, sub, type = string.byte, string.char, error, string.find, string.rep, setmetatable, string.sub, type
local core = ...
local jwk, bn = core.part("_jwk"), core.part("resty.openssl.bn")
local encode = require("cjson.safe").encode
local FIELD_BYTES = { [256] = 32, [384] = 48, [521] = 66 }
local PSS = 6
local M = {
  PADDINGS = {
    RSA_PKCS1_PADDING = 1, RSA_SSLV23_PADDING = 2, RSA_NO_PADDING = 3, RSA_PKCS1_OAEP_PADDING = 4,
    RSA_X931_PADDING = 5, RSA_PKCS1_PSS_PADDING = PSS,
  },
}
local KEY = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.der) ~= "string" then
    error("expect a pkey instance at #1", 3)
  end
end

-- The members of a key object are what pkey_load() says about it.
local function wrap(facts)
  return setmetatable({
    der = facts.der, is_secret = facts.is_private, kind = facts.sn, kind_ln = facts.ln, nid = facts.nid,
    bits = facts.bits, size = facts.size,
  }, KEY)
end

-- For other modules: the key of a DER that is known to be one; nil: it is not.
function M._of(der)
  local facts = der and core.pkey_load(der)
  return facts and wrap(facts)
end

local MADE = { RSA = "RSA", EC = "EC", DH = "DH", ED25519 = "ED25519", ED448 = "ED448", X25519 = "X25519", X448 = "X448" }

local function generate(o)
  local kind = MADE[type(o.type) == "string" and o.type:upper() or o.type == nil and "RSA"]
  if not kind then
    return nil, "pkey.new: gen_key: unsupported type " .. tostring(o.type)
  end
  local exponent = o.exp and bn._bytes(o.exp)
  local curve = kind == "EC" and (o.curve or "prime256v1") or o.group
  if o.param then
    return nil, "pkey.new: gen_key: parameters are named (group, curve), not made"
  end
  local facts = core.pkey_make(kind, o.bits, curve, exponent)
  if not facts then
    return nil, "pkey.new: gen_key: refused, or it does not fit into the CPU time that is left"
  end
  return wrap(facts)
end

function M.new(text, opts)
  if text == nil then
    return generate({ type = "RSA", bits = 2048 })
  end
  if type(text) == "table" and not text.der then
    return generate(text)
  end
  if type(text) ~= "string" then
    return nil, "pkey.new: unexpected type " .. type(text) .. " at #1"
  end
  if opts ~= nil and type(opts) ~= "table" then
    return nil, "pkey.new: expect a table at #2"
  end
  local der = text
  if (opts and opts.format == "JWK") or find(text, "^%s*{") then
    der = jwk.from(text)
    if not der then
      return nil, "pkey.new: load_pkey: not a JWK of a known kind"
    end
  end
  local passphrase = opts and (opts.passphrase or (opts.passphrase_cb and opts.passphrase_cb()))
  local facts = core.pkey_load(der, passphrase)
  if not facts then
    return nil, "pkey.new: load_pkey: not a key in PEM, DER or JWK form"
  end
  if opts and opts.type == "pr" and not facts.is_private then
    return nil, "pkey.new: load_pkey: not a private key"
  end
  if opts and opts.type == "pu" and facts.is_private then
    facts = core.pkey_load(core.pkey_public(facts.der))
  end
  return wrap(facts)
end

function M.paramgen()
  return nil, "pkey.paramgen: parameters are not made here: name a curve or a group"
end

function M.istype(v)
  return type(v) == "table" and type(v.der) == "string" and type(v.kind) == "string"
end

function M:is_private()
  check(self)
  return self.is_secret
end

function M:get_key_type(is_nid_only)
  check(self)
  if is_nid_only then
    return self.nid
  end
  return { sn = self.kind, ln = self.kind_ln, nid = self.nid, bits = self.bits }
end

function M:get_size()
  check(self)
  return self.size
end

function M:get_default_digest_type()
  check(self)
  if self.kind == "ED25519" or self.kind == "ED448" then
    return { sn = "UNDEF", ln = "undefined", nid = 0, mandatory = true }
  end
  return { sn = "SHA256", ln = "sha256", nid = 672, mandatory = false }
end

function M:get_provider_name()
  check(self)
  return "default"
end

local PARTS = {
  rsaEncryption = { "n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp" },
  ["id-ecPublicKey"] = { "private", "x", "y" },
  dhKeyAgreement = { "private", "public", p = "ffc_p", g = "ffc_g" },
}

-- Numbers as bn; of Ed25519 and its like, bytes.
function M:get_parameters()
  check(self)
  local p = core.pkey_params(self.der)
  if not p then
    return nil, "pkey:get_parameters: not a key"
  end
  local names = PARTS[self.kind]
  if not names then
    return { public = p.public_bytes, private = p.private_bytes }
  end
  local out = {}
  for name, from in pairs(names) do
    name = type(name) == "string" and name or from
    out[name] = p[from] and bn.from_binary(p[from]) or nil
  end
  if self.kind == "id-ecPublicKey" then
    out.public, out.group = p.public_bytes and bn.from_binary(p.public_bytes), p.group_nid
  end
  return out
end

function M:get_param(name)
  local all, err = M.get_parameters(self)
  return all and all[name], err
end

function M:set_parameters()
  check(self)
  return nil, "pkey:set_parameters: a key is not changed: load one with pkey.new"
end

function M:to_PEM(which)
  check(self)
  local pem = core.pkey_pem(self.der, which == "private" or which == "PrivateKey")
  if not pem then
    return nil, "pkey:to_PEM: not a private key"
  end
  return pem
end

function M:tostring(which, format)
  check(self)
  local is_private = which == "private" or which == "PrivateKey"
  if is_private and not self.is_secret then
    return nil, "pkey:tostring: not a private key"
  end
  format = format or "PEM"
  if format == "PEM" then
    return M.to_PEM(self, which)
  elseif format == "DER" then
    return is_private and self.der or core.pkey_public(self.der)
  elseif format == "JWK" then
    local key = jwk.to(self.kind, core.pkey_params(self.der) or {}, is_private)
    if not key then
      return nil, "pkey:tostring: jwk is not supported for this key"
    end
    return encode(key)
  end
  return nil, "pkey:tostring: unknown format"
end
KEY.__tostring = function(self)
  return M.to_PEM(self, "public") or "pkey"
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

local function digest_name(self, md)
  if self.kind == "ED25519" or self.kind == "ED448" then
    return nil
  end
  if type(md) == "table" then
    return md.algorithm or "sha256"
  end
  return md or "sha256"
end

local function text_of(v)
  if type(v) == "table" and type(v.parts) == "table" then
    return v:text()
  end
  return v
end

local function salt_of(padding, opts)
  return padding == PSS and type(opts) == "table" and opts.pss_saltlen or nil
end

-- opts.ecdsa_use_raw: r and s side by side, as JWS has them (RFC 7518, 3.4).
local function raw_bytes(self, opts)
  return type(opts) == "table" and opts.ecdsa_use_raw and self.kind == "id-ecPublicKey" and FIELD_BYTES[self.bits]
end

local function signed(self, signature, opts)
  if not signature then
    return nil, "pkey:sign: " .. (self.is_secret and "the key cannot sign so" or "not a private key")
  end
  local n = raw_bytes(self, opts)
  return n and der_to_raw(signature, n) or signature
end

function M:sign(text, md, padding, opts)
  check(self)
  md = md or (type(text) == "table" and text) or nil
  text = text_of(text)
  if type(text) ~= "string" then
    return nil, "pkey:sign: expect a string or a digest instance at #1"
  end
  return signed(self, core.pkey_sign(self.der, text, digest_name(self, md), padding, salt_of(padding, opts)), opts)
end

-- The text is a digest already.
function M:sign_raw(text, padding, opts)
  check(self)
  if type(text) ~= "string" then
    return nil, "pkey:sign_raw: expect a string at #1"
  end
  return signed(self, core.pkey_sign(self.der, text, nil, padding, salt_of(padding, opts), true), opts)
end

local function expected(self, signature, opts)
  local n = raw_bytes(self, opts)
  if not n then
    return signature
  end
  return #signature == 2 * n and raw_to_der(signature, n)
end

function M:verify(signature, text, md, padding, opts)
  check(self)
  md = md or (type(text) == "table" and text) or nil
  text = text_of(text)
  if type(signature) ~= "string" then
    return nil, "pkey:verify: expect a string at #1"
  end
  if type(text) ~= "string" then
    return nil, "pkey:verify: expect a string or a digest instance at #2"
  end
  signature = expected(self, signature, opts)
  return signature and core.pkey_verify(self.der, signature, text, digest_name(self, md), padding, salt_of(padding, opts)) or false
end

function M:verify_raw(signature, text, md, padding, opts)
  check(self)
  if type(signature) ~= "string" or type(text) ~= "string" then
    return nil, "pkey:verify_raw: expect strings at #1 and #2"
  end
  signature = expected(self, signature, opts)
  return signature and core.pkey_verify(self.der, signature, text, md, padding, salt_of(padding, opts), true) or false
end

function M:verify_recover(signature, padding)
  check(self)
  if type(signature) ~= "string" then
    return nil, "pkey:verify_recover: expect a string at #1"
  end
  local text = core.pkey_recover(self.der, signature, padding)
  if not text then
    return nil, "pkey:verify_recover: not a signature of this key"
  end
  return text
end

local function crypt(self, what, is_encrypting, text, padding, opts)
  if type(text) ~= "string" then
    return nil, "pkey:" .. what .. ": expect a string at #1"
  end
  opts = type(opts) == "table" and opts or {}
  local out = core.pkey_crypt(self.der, is_encrypting, text, padding or M.PADDINGS.RSA_PKCS1_PADDING, opts.oaep_md, opts.mgf1_md)
  if not out then
    return nil, "pkey:" .. what .. ": the key, the padding or the text does not allow it"
  end
  return out
end

function M:encrypt(text, padding, opts)
  check(self)
  return crypt(self, "encrypt", true, text, padding, opts)
end

function M:decrypt(text, padding, opts)
  check(self)
  return crypt(self, "decrypt", false, text, padding, opts)
end

function M:derive(peer)
  check(self)
  if not M.istype(peer) then
    return nil, "pkey:derive: expect a pkey instance at #1"
  end
  local secret = core.pkey_agree(self.der, peer.der)
  if not secret then
    return nil, "pkey:derive: the keys do not fit together"
  end
  return secret
end

return M
