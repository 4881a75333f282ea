-- Lets requests through that carry a JSON Web Token signed with HS256 (RFC 7515, RFC 7519).
local bit = require "bit"
local cjson = require "cjson.safe"

local JwtVerify = {
  PRIORITY = 1450,
  VERSION = "1.0.0",
}

-- SHA-256 (FIPS 180-4): strict sandboxes have no module for it.
local band, bnot, bxor, ror, rshift, tobit = bit.band, bit.bnot, bit.bxor, bit.ror, bit.rshift, bit.tobit
local K, H0 = {}, {}

local function fraction(root)
  return tobit(math.floor((root - math.floor(root)) * 2 ^ 32))
end

do
  local n, candidate = 0, 2
  while n < 64 do
    local is_prime = true
    for d = 2, math.floor(math.sqrt(candidate)) do
      is_prime = is_prime and candidate % d ~= 0
    end
    if is_prime then
      n = n + 1
      -- One step of Newton's method makes the cube root exact enough.
      local root = candidate ^ (1 / 3)
      root = root - (root * root * root - candidate) / (3 * root * root)
      K[n] = fraction(root)
      if n <= 8 then
        H0[n] = fraction(math.sqrt(candidate))
      end
    end
    candidate = candidate + 1
  end
end

local function be32(n)
  return string.char(band(rshift(n, 24), 255), band(rshift(n, 16), 255), band(rshift(n, 8), 255), band(n, 255))
end

local function block(h, w)
  for i = 17, 64 do
    local a, b = w[i - 15], w[i - 2]
    w[i] = tobit(w[i - 16] + bxor(ror(a, 7), ror(a, 18), rshift(a, 3)) + w[i - 7]
      + bxor(ror(b, 17), ror(b, 19), rshift(b, 10)))
  end
  local a, b, c, d, e, f, g, last = unpack(h)
  for i = 1, 64 do
    local t1 = tobit(last + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + bxor(band(e, f), band(bnot(e), g)) + K[i] + w[i])
    local t2 = tobit(bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, b), band(a, c), band(b, c)))
    last, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  for i, v in ipairs({ a, b, c, d, e, f, g, last }) do
    h[i] = tobit(h[i] + v)
  end
end

local function sha256(text)
  local h = { unpack(H0) }
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. "\0\0\0\0" .. be32(#text * 8)
  for at = 1, #padded, 64 do
    local w = {}
    for i = 1, 16 do
      local b1, b2, b3, b4 = padded:byte(at + i * 4 - 4, at + i * 4 - 1)
      w[i] = tobit(b1 * 2 ^ 24 + b2 * 2 ^ 16 + b3 * 2 ^ 8 + b4)
    end
    block(h, w)
  end
  for i = 1, 8 do
    h[i] = be32(h[i])
  end
  return table.concat(h)
end

-- RFC 2104
local function hmac_sha256(key, text)
  if #key > 64 then
    key = sha256(key)
  end
  key = key .. ("\0"):rep(64 - #key)
  local function mask(byte)
    return (key:gsub(".", function(c) return string.char(bxor(c:byte(), byte)) end))
  end
  return sha256(mask(0x5c) .. sha256(mask(0x36) .. text))
end

local function decode(text)
  return ngx.decode_base64((text:gsub("-", "+"):gsub("_", "/")) .. ("="):rep((4 - #text % 4) % 4))
end

-- Takes the same time wherever the texts begin to differ.
local function is_equal(a, b)
  local difference = #a == #b and 0 or 1
  for i = 1, math.min(#a, #b) do
    difference = bit.bor(difference, bxor(a:byte(i), b:byte(i)))
  end
  return difference == 0
end

local function verify(conf, token)
  local head, claims, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then
    return nil, "Bad token"
  end
  local header = cjson.decode(decode(head) or "")
  local payload = cjson.decode(decode(claims) or "")
  if type(header) ~= "table" or type(payload) ~= "table" or header.alg ~= "HS256" then
    return nil, "Bad token"
  end
  local secret = conf.secrets[payload.iss or ""]
  if not secret then
    return nil, "No credentials found for given 'iss'"
  end
  if not is_equal(hmac_sha256(secret, head .. "." .. claims), decode(signature) or "") then
    return nil, "Invalid signature"
  end
  local now = ngx.time()
  if type(payload.exp) == "number" and payload.exp <= now then
    return nil, "token expired"
  end
  if type(payload.nbf) == "number" and payload.nbf > now then
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
