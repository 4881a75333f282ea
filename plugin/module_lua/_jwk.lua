-- SPDX-License-Identifier: Apache-2.0
-- JSON Web Keys (RFC 7517, RFC 8037, RFC 8812) as DER and back: RSA, EC (P-256, P-384, P-521,
-- secp256k1), Ed25519, Ed448, X25519, X448.
local byte, char, concat, type = string.byte, string.char, table.concat, type
local base64url = require("ngx.base64")
local decode, unhex = require("cjson.safe").decode, (...).unhex

local function tlv(tag, content)
  local n = #content
  if n < 128 then
    return char(tag, n) .. content
  elseif n < 256 then
    return char(tag, 0x81, n) .. content
  end
  return char(tag, 0x82, (n - n % 256) / 256, n % 256) .. content
end

local function integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  if bytes == "" or byte(bytes) >= 128 then
    bytes = "\0" .. bytes
  end
  return tlv(0x02, bytes)
end

local function sequence(...)
  return tlv(0x30, concat({ ... }))
end

local function bits(bytes)
  return tlv(0x03, "\0" .. bytes)
end

local RSA = unhex("300d06092a864886f70d0101010500")
-- The AlgorithmIdentifier, and the size of both halves (RFC 8410).
local OKP = {
  Ed25519 = { unhex("300506032b6570"), 32 },
  Ed448 = { unhex("300506032b6571"), 57 },
  X25519 = { unhex("300506032b656e"), 32 },
  X448 = { unhex("300506032b656f"), 56 },
}
local EC = unhex("06072a8648ce3d0201")
local CURVES = {
  ["P-256"] = { unhex("06082a8648ce3d030107"), 32 },
  ["P-384"] = { unhex("06052b81040022"), 48 },
  ["P-521"] = { unhex("06052b81040023"), 66 },
  ["secp256k1"] = { unhex("06052b8104000a"), 32 },
}

-- The decoded members of a key, or nil when one is missing or not base64.
local function members(jwk, names)
  local out = {}
  for name in names:gmatch("%w+") do
    local raw = type(jwk[name]) == "string" and #jwk[name] < 4096 and base64url.decode_base64url(jwk[name])
    if not raw then
      return nil
    end
    out[#out + 1] = raw
  end
  return out
end

local function from_rsa(jwk)
  if jwk.d then
    local m = members(jwk, "n e d p q dp dq qi")
    if not m then
      return nil
    end
    local text = integer("\0")
    for i = 1, #m do
      text = text .. integer(m[i])
    end
    return sequence(integer("\0"), RSA, tlv(0x04, tlv(0x30, text)))
  end
  local m = members(jwk, "n e")
  return m and sequence(RSA, bits(sequence(integer(m[1]), integer(m[2]))))
end

local function from_ec(jwk)
  local curve, m = CURVES[jwk.crv], members(jwk, "x y")
  if not curve or not m or #m[1] ~= curve[2] or #m[2] ~= curve[2] then
    return nil
  end
  local algorithm, point = sequence(EC, curve[1]), "\4" .. m[1] .. m[2]
  if not jwk.d then
    return sequence(algorithm, bits(point))
  end
  local d = members(jwk, "d")
  return d and sequence(integer("\0"), algorithm, tlv(0x04, sequence(integer("\1"), tlv(0x04, d[1]), tlv(0xa1, bits(point)))))
end

local function from_okp(jwk)
  local curve, m = OKP[jwk.crv], members(jwk, jwk.d and "d x" or "x")
  if not curve or not m or #m[1] ~= curve[2] then
    return nil
  end
  if jwk.d then
    return sequence(integer("\0"), curve[1], tlv(0x04, tlv(0x04, m[1])))
  end
  return sequence(curve[1], bits(m[1]))
end

local KINDS = { RSA = from_rsa, EC = from_ec, OKP = from_okp }

-- DER, or nil: not a key of these kinds.
local function from(jwk)
  if type(jwk) == "string" then
    jwk = decode(jwk)
  end
  local make = type(jwk) == "table" and KINDS[jwk.kty]
  return make and make(jwk) or nil
end

local b64 = base64url.encode_base64url
local NAMES = { prime256v1 = "P-256", secp384r1 = "P-384", secp521r1 = "P-521", secp256k1 = "secp256k1" }
local EDWARDS = { ED25519 = "Ed25519", ED448 = "Ed448", X25519 = "X25519", X448 = "X448" }

local function padded(bytes, n)
  return b64(("\0"):rep(n - #bytes) .. bytes)
end

local function to_rsa(p, is_private)
  local jwk = { kty = "RSA", n = b64(p.n), e = b64(p.e) }
  if is_private then
    jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi = b64(p.d), b64(p.p), b64(p.q), b64(p.dmp1), b64(p.dmq1), b64(p.iqmp)
  end
  return jwk
end

-- What pkey_params() gave about a key of that short name, as a table; nil: a kind JWK has not.
local function to(kind, p, is_private)
  if kind == "rsaEncryption" and (p.p or not is_private) then
    return to_rsa(p, is_private)
  elseif kind == "id-ecPublicKey" and NAMES[p.group] then
    local crv = NAMES[p.group]
    local n = CURVES[crv][2]
    return { kty = "EC", crv = crv, x = padded(p.x, n), y = padded(p.y, n), d = is_private and padded(p.private, n) or nil }
  elseif EDWARDS[kind] then
    return { kty = "OKP", crv = EDWARDS[kind], x = b64(p.public_bytes), d = is_private and b64(p.private_bytes) or nil }
  end
  return nil
end

return { from = from, to = to }
