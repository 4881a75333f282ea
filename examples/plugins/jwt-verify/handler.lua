-- Lets requests through that carry a JSON Web Token (RFC 7515, RFC 7519) of a known issuer, signed
-- with HS256, RS256 or ES256.
local cjson = require "cjson.safe"
local decode_base64url = require("ngx.base64").decode_base64url
local hmac = require "resty.openssl.hmac"
local pkey = require "resty.openssl.pkey"

local JwtVerify = {
  PRIORITY = 1450,
  VERSION = "2.0.0",
}

local RAW = { ecdsa_use_raw = true }

-- Takes the same time wherever the texts begin to differ: digests of them are compared.
local function is_equal(a, b)
  local salt = ngx.now() .. kong.request.get_id()
  return hmac.new(salt, "sha256"):final(a) == hmac.new(salt, "sha256"):final(b)
end

-- A PEM is parsed once, not for each request.
local keys = {}

local function public_key(pem)
  if not keys[pem] then
    keys[pem] = pkey.new(pem)
  end
  return keys[pem]
end

-- The kind of key decides, never the token: a public key does not serve as an HMAC secret.
local function is_signed(conf, alg, issuer, text, signature)
  if alg == "HS256" then
    local secret = conf.secrets and conf.secrets[issuer]
    if not secret then
      return nil, "No credentials found for given 'iss'"
    end
    return is_equal(hmac.new(secret, "sha256"):final(text), signature)
  end
  local pem = conf.public_keys and conf.public_keys[issuer]
  if not pem then
    return nil, "No credentials found for given 'iss'"
  end
  local key = public_key(pem)
  if not key then
    return nil, "Invalid key"
  end
  local kind = key:get_key_type()
  if alg == "RS256" and kind.sn == "rsaEncryption" then
    return key:verify(signature, text, "sha256")
  elseif alg == "ES256" and kind.sn == "id-ecPublicKey" and kind.bits == 256 then
    return key:verify(signature, text, "sha256", nil, RAW)
  end
  return nil, "Invalid algorithm"
end

local ALGORITHMS = { HS256 = true, RS256 = true, ES256 = true }

local function parse(token)
  local head, claims, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then
    return nil
  end
  local header = cjson.decode(decode_base64url(head) or "")
  local payload = cjson.decode(decode_base64url(claims) or "")
  signature = decode_base64url(signature)
  if type(header) ~= "table" or type(payload) ~= "table" or not signature or not ALGORITHMS[header.alg]
    or header.crit ~= nil or type(payload.iss) ~= "string" then
    return nil
  end
  return header.alg, payload, head .. "." .. claims, signature
end

local function verify(conf, token)
  local alg, payload, text, signature = parse(token)
  if not alg then
    return nil, "Bad token"
  end
  local ok, err = is_signed(conf, alg, payload.iss, text, signature)
  if not ok then
    return nil, err or "Invalid signature"
  end
  local now = ngx.time()
  if payload.exp ~= nil and (type(payload.exp) ~= "number" or payload.exp <= now) then
    return nil, "token expired"
  end
  if payload.nbf ~= nil and (type(payload.nbf) ~= "number" or payload.nbf > now) then
    return nil, "token not valid yet"
  end
  return payload
end

function JwtVerify:access(conf)
  local token = (kong.request.get_header("Authorization") or ""):match("^[Bb]earer%s+(.+)$")
  local payload, err
  if token then
    payload, err = verify(conf, token)
  end
  if not payload then
    return kong.response.exit(401, { message = err or "Unauthorized" }, { ["WWW-Authenticate"] = "Bearer" })
  end
  kong.service.request.set_header("X-JWT-Issuer", payload.iss)
  if type(payload.sub) == "string" then
    kong.service.request.set_header("X-JWT-Subject", payload.sub)
  end
end

return JwtVerify
