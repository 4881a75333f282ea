-- SPDX-License-Identifier: Apache-2.0
-- JSON Web Tokens, signed (RFC 7515, RFC 7519): sign(), load_jwt(), verify_jwt_obj(), verify().  HS, RS, PS, ES
-- and EdDSA; the kind of key must be the algorithm's, and "none" is no algorithm.
local concat, match, setmetatable, type = table.concat, string.match, setmetatable, type
local core = ...
local part = core.part
local pkey, validators, x509 = part("resty.openssl.pkey"), part("resty.jwt-validators"), part("resty.openssl.x509")
local base64, json = require("ngx.base64"), require("cjson.safe")
local M = { _VERSION = "0.2.3" }
local TOKEN_MAX = 65536

local ALGORITHMS = {
  HS256 = { hmac = "sha256" }, HS384 = { hmac = "sha384" }, HS512 = { hmac = "sha512" },
  RS256 = { md = "sha256", kind = "rsaEncryption" }, RS384 = { md = "sha384", kind = "rsaEncryption" },
  RS512 = { md = "sha512", kind = "rsaEncryption" },
  PS256 = { md = "sha256", kind = "rsaEncryption", padding = 6 }, PS384 = { md = "sha384", kind = "rsaEncryption", padding = 6 },
  PS512 = { md = "sha512", kind = "rsaEncryption", padding = 6 },
  ES256 = { md = "sha256", kind = "id-ecPublicKey", bits = 256 }, ES384 = { md = "sha384", kind = "id-ecPublicKey", bits = 384 },
  ES512 = { md = "sha512", kind = "id-ecPublicKey", bits = 521 },
  EdDSA = { kind = "ED25519" },
}
local RAW = { ecdsa_use_raw = true }

local function is_pem(text)
  return match(text, "^%s*%-%-%-%-%-BEGIN ") ~= nil
end

-- The public or private key of a PEM, JWK, certificate or pkey object that fits the algorithm.
local function key_of(algorithm, v)
  local key = v
  if type(v) == "string" then
    local certificate = match(v, "BEGIN CERTIFICATE") and x509.new(v)
    if certificate then
      key = certificate:get_pubkey()
    else
      key = pkey.new(v)
    end
  end
  if not pkey.istype(key) then
    return nil, "not a key"
  end
  local kind = key:get_key_type()
  if kind.sn ~= algorithm.kind or (algorithm.bits and kind.bits ~= algorithm.bits) then
    return nil, "the key is not of the algorithm's kind"
  end
  return key
end

-- A secret that is a key's text is a public key given where a secret belongs.
local function secret_of(v)
  if type(v) ~= "string" or v == "" then
    return nil, "a secret expected"
  elseif is_pem(v) then
    return nil, "a key in PEM is no secret"
  end
  return v
end

local function make(algorithm, key, text)
  if algorithm.hmac then
    local secret, err = secret_of(key)
    return secret and core.hmac(algorithm.hmac, secret, text), err
  end
  local k, err = key_of(algorithm, key)
  if not k then
    return nil, err
  end
  return k:sign(text, algorithm.md, algorithm.padding, RAW)
end

local function is_equal(a, b)
  local salt = core.random(16)
  return core.hmac("sha256", salt, a) == core.hmac("sha256", salt, b)
end

local function is_made_by(algorithm, key, text, signature)
  if algorithm.hmac then
    local secret, err = secret_of(key)
    if not secret then
      return false, err
    end
    return is_equal(core.hmac(algorithm.hmac, secret, text), signature)
  end
  local k, err = key_of(algorithm, key)
  if not k then
    return false, err
  end
  return k:verify(signature, text, algorithm.md, algorithm.padding, RAW)
end

function M:sign(key, jwt)
  if type(jwt) ~= "table" or type(jwt.header) ~= "table" then
    error({ reason = "a table with header and payload expected" })
  end
  local algorithm = ALGORITHMS[jwt.header.alg]
  if not algorithm then
    error({ reason = "unsupported alg: " .. tostring(jwt.header.alg) })
  end
  local payload = type(jwt.payload) == "string" and jwt.payload or json.encode(jwt.payload)
  local text = base64.encode_base64url(json.encode(jwt.header)) .. "." .. base64.encode_base64url(payload)
  local signature, err = make(algorithm, key, text)
  if not signature then
    error({ reason = err or "cannot sign" })
  end
  return text .. "." .. base64.encode_base64url(signature)
end

local function invalid(reason)
  return { valid = false, verified = false, reason = reason }
end

function M:load_jwt(token)
  if type(token) ~= "string" or #token > TOKEN_MAX then
    return invalid("invalid jwt string")
  end
  local head, claims, tail = match(token, "^([%w_-]+)%.([%w_-]*)%.([%w_-]*)$")
  if not head then
    return invalid("invalid jwt string")
  end
  local header = json.decode(base64.decode_base64url(head) or "")
  if type(header) ~= "table" then
    return invalid("invalid header: " .. head)
  end
  local payload = json.decode(base64.decode_base64url(claims) or "")
  if type(payload) ~= "table" then
    return invalid("invalid payload: " .. claims)
  end
  if header.crit ~= nil then
    return invalid("critical headers are not known: " .. tostring(json.encode(header.crit)))
  end
  return {
    raw_header = head, raw_payload = claims, signature = tail, header = header, payload = payload, valid = true, verified = false,
  }
end

-- Claims: a function, or a table of claim names to functions (value, claim, jwt as JSON).
local function check_claims(jwt, specs)
  if #specs == 0 then
    specs = { { exp = validators.opt_is_not_expired(), nbf = validators.opt_is_not_before() } }
  end
  for _, spec in ipairs(specs) do
    for claim, check in pairs(spec) do
      local ok, err = check(jwt.payload[claim], claim, jwt)
      if not ok then
        return false, err or ("Claim '" .. tostring(claim) .. "' ('" .. tostring(jwt.payload[claim]) .. "') returned failure")
      end
    end
  end
  return true
end

local function refuse(jwt, reason)
  jwt.verified, jwt.reason = false, reason
  return jwt
end

-- key: a secret, PEM, JWK, pkey, or a function(kid) that gives it.
function M:verify_jwt_obj(key, jwt, ...)
  if type(jwt) ~= "table" or not jwt.valid then
    return jwt
  end
  local algorithm = ALGORITHMS[jwt.header.alg]
  if not algorithm then
    return refuse(jwt, "unsupported alg: " .. tostring(jwt.header.alg))
  end
  if self.allowed and not self.allowed[jwt.header.alg] then
    return refuse(jwt, "whitelist unsupported alg: " .. jwt.header.alg)
  end
  if type(key) == "function" then
    key = key(jwt.header.kid)
  end
  local signature = base64.decode_base64url(jwt.signature)
  local ok, err = false, nil
  if signature and key ~= nil then
    ok, err = is_made_by(algorithm, key, concat({ jwt.raw_header, jwt.raw_payload }, "."), signature)
  end
  if not ok then
    return refuse(jwt, "signature mismatch: " .. (err or jwt.signature))
  end
  ok, err = check_claims(jwt, { ... })
  if not ok then
    return refuse(jwt, err)
  end
  jwt.verified, jwt.reason = true, "verified"
  return jwt
end

function M:verify(key, token, ...)
  return M.verify_jwt_obj(self, key, M.load_jwt(self, token), ...)
end

-- An object that takes some algorithms only.
function M.new()
  return setmetatable({}, { __index = M, __metatable = false })
end

function M:set_alg_whitelist(algorithms)
  self.allowed = algorithms
end

return M
