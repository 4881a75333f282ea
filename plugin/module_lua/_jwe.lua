-- SPDX-License-Identifier: Apache-2.0
-- kong.jwe: JSON Web Encryption (RFC 7516, RFC 7518) in the compact form.  RSA1_5 is refused, as whoever can ask
-- often enough learns what it hides; zip is, as a short text may hold a long one.
local core = ...
local part = core.part
local pkey, cipher = part("resty.openssl.pkey"), part("resty.openssl.cipher")
local base64, json = require("ngx.base64"), require("cjson.safe")
local byte, char, floor, match, rep, sub = string.byte, string.char, math.floor, string.match, string.rep, string.sub
local concat, error, pairs, type = table.concat, error, pairs, type
local bxor = bit.bxor

local TOKEN_MAX = 1048576
local WRONG = "the token was not made with this key, or was changed"

-- Bytes of the content key; an HMAC takes the first half of it.
local ENCRYPTIONS = {
  A128GCM = { size = 16, cipher = "aes-128-gcm" }, A192GCM = { size = 24, cipher = "aes-192-gcm" },
  A256GCM = { size = 32, cipher = "aes-256-gcm" },
  ["A128CBC-HS256"] = { size = 32, cipher = "aes-128-cbc", md = "sha256" },
  ["A192CBC-HS384"] = { size = 48, cipher = "aes-192-cbc", md = "sha384" },
  ["A256CBC-HS512"] = { size = 64, cipher = "aes-256-cbc", md = "sha512" },
}
local ALGORITHMS = {
  dir = { is_direct = true }, ["RSA-OAEP"] = { oaep = "sha1" }, ["RSA-OAEP-256"] = { oaep = "sha256" },
  A128KW = { wrap = 16 }, A192KW = { wrap = 24 }, A256KW = { wrap = 32 },
  ["ECDH-ES"] = { is_agreed = true, is_direct = true }, ["ECDH-ES+A128KW"] = { is_agreed = true, wrap = 16 },
  ["ECDH-ES+A192KW"] = { is_agreed = true, wrap = 24 }, ["ECDH-ES+A256KW"] = { is_agreed = true, wrap = 32 },
}
local CURVES = { ["P-256"] = "prime256v1", ["P-384"] = "secp384r1", ["P-521"] = "secp521r1" }

local encode, decode = base64.encode_base64url, base64.decode_base64url

local function number(n, bytes)
  local out = {}
  for i = bytes, 1, -1 do
    out[i] = char(n % 256)
    n = floor(n / 256)
  end
  return concat(out)
end

local function xor(a, b)
  local out = {}
  for i = 1, #a do
    out[i] = char(bxor(byte(a, i), byte(b, i)))
  end
  return concat(out)
end

local function is_equal(a, b)
  local salt = core.random(16)
  return core.hmac("sha256", salt, a) == core.hmac("sha256", salt, b)
end

-- ---- key wrap (RFC 3394)

local IV = rep("\166", 8)

local function wrap(kek, key)
  local aes = cipher.new("aes-" .. #kek * 8 .. "-ecb")
  local a, r, n = IV, {}, #key / 8
  for i = 1, n do
    r[i] = sub(key, i * 8 - 7, i * 8)
  end
  for j = 0, 5 do
    for i = 1, n do
      local b = aes:encrypt(kek, "", a .. r[i], true)
      a, r[i] = xor(sub(b, 1, 8), number(n * j + i, 8)), sub(b, 9)
    end
  end
  return a .. concat(r)
end

local function unwrap(kek, text)
  local aes = cipher.new("aes-" .. #kek * 8 .. "-ecb")
  local a, r, n = sub(text, 1, 8), {}, #text / 8 - 1
  for i = 1, n do
    r[i] = sub(text, i * 8 + 1, i * 8 + 8)
  end
  for j = 5, 0, -1 do
    for i = n, 1, -1 do
      local b = aes:decrypt(kek, "", xor(a, number(n * j + i, 8)) .. r[i], true)
      a, r[i] = sub(b, 1, 8), sub(b, 9)
    end
  end
  return is_equal(a, IV) and concat(r) or nil
end

-- ---- keys

local function members_of(key)
  if type(key) == "table" then
    return key
  end
  return match(key, "^%s*{") and json.decode(key) or nil
end

-- A key shared by both sides: its bytes, or a JWK of kty oct.
local function secret_of(key, size)
  local jwk = members_of(key)
  local raw = key
  if type(jwk) == "table" then
    raw = jwk.kty == "oct" and type(jwk.k) == "string" and decode(jwk.k) or nil
  end
  if type(raw) ~= "string" or match(raw, "^%s*%-%-%-%-%-BEGIN ") then
    return nil, "a secret of " .. size .. " bytes, or a JWK that holds it, expected"
  elseif #raw ~= size then
    return nil, "the secret has " .. #raw .. " bytes, " .. size .. " are needed"
  end
  return raw
end

-- Of the algorithm's kind; a PEM or a JWK.
local function pair_of(algorithm, key)
  local k = pkey.new(type(key) == "table" and (json.encode(key) or "") or key)
  if not k then
    return nil, "a key in PEM or JWK form expected"
  end
  local kind = k:get_key_type().sn
  if algorithm.oaep and kind ~= "rsaEncryption" or algorithm.is_agreed and kind ~= "id-ecPublicKey" and kind ~= "X25519" then
    return nil, "the key is not of the algorithm's kind"
  end
  return k
end

local function field(text)
  return number(#text, 4) .. text
end

-- RFC 7518 4.6.2: what two keys agree on, for one use.
local function agree(mine, theirs, name, header, size)
  local secret, err = mine:derive(theirs)
  if not secret then
    return nil, err
  end
  local apu, apv = decode(header.apu or ""), decode(header.apv or "")
  if not apu or not apv then
    return nil, "apu and apv are base64url"
  end
  local info = field(name) .. field(apu) .. field(apv) .. number(size * 8, 4)
  local out = ""
  for round = 1, 2 do
    if #out < size then
      out = out .. core.digest("sha256", number(round, 4) .. secret .. info)
    end
  end
  return sub(out, 1, size)
end

local function agreed_with(algorithm, key, header, size)
  if type(header.epk) ~= "table" or header.epk.d ~= nil then
    return nil, "the token has no public key of its sender (epk)"
  end
  local mine, err = pair_of(algorithm, key)
  if not mine then
    return nil, err
  end
  local theirs = pkey.new(json.encode(header.epk) or "")
  if not theirs or not mine:is_private() then
    return nil, theirs and "a private key expected" or "epk is no key"
  end
  return agree(mine, theirs, algorithm.is_direct and header.enc or header.alg, header, size)
end

-- The content key of a token that was received.
local function unlock(algorithm, key, header, encrypted, size)
  if algorithm.is_direct and encrypted ~= "" then
    return nil, WRONG
  elseif algorithm.is_agreed and algorithm.is_direct then
    return agreed_with(algorithm, key, header, size)
  elseif algorithm.is_direct then
    return secret_of(key, size)
  elseif algorithm.oaep then
    local k, err = pair_of(algorithm, key)
    if not k then
      return nil, err
    end
    -- A padding that is wrong is told no earlier than a content that is (RFC 7516 11.5).
    return k:decrypt(encrypted, pkey.PADDINGS.RSA_PKCS1_OAEP_PADDING, { oaep_md = algorithm.oaep, mgf1_md = algorithm.oaep })
      or core.random(size)
  end
  local kek, err
  if algorithm.is_agreed then
    kek, err = agreed_with(algorithm, key, header, algorithm.wrap)
  else
    kek, err = secret_of(key, algorithm.wrap)
  end
  if not kek then
    return nil, err
  end
  return #encrypted == size + 8 and unwrap(kek, encrypted) or nil, WRONG
end

-- A fresh key pair on the curve of the one given; its public half goes into the header.
local function fresh_pair(theirs, header)
  local public = json.decode(theirs:tostring("public", "JWK") or "")
  local curve = public and CURVES[public.crv]
  local mine = curve and pkey.new({ type = "EC", curve = curve }) or public and public.crv == "X25519" and pkey.new({ type = "X25519" })
  if not mine then
    return nil, "the key's curve is not known"
  end
  header.epk = json.decode(mine:tostring("public", "JWK"))
  return mine
end

-- A content key for a token to be sent, and what travels of it.
local function lock(algorithm, key, header, size)
  if algorithm.is_direct and not algorithm.is_agreed then
    local secret, err = secret_of(key, size)
    return secret, secret and "" or err
  elseif algorithm.oaep then
    local k, err = pair_of(algorithm, key)
    local cek = core.random(size)
    if not k then
      return nil, err
    end
    local text
    text, err = k:encrypt(cek, pkey.PADDINGS.RSA_PKCS1_OAEP_PADDING, { oaep_md = algorithm.oaep, mgf1_md = algorithm.oaep })
    return text and cek, text or err
  end
  local kek, err
  if algorithm.is_agreed then
    local theirs, mine
    theirs, err = pair_of(algorithm, key)
    if theirs then
      mine, err = fresh_pair(theirs, header)
    end
    if mine then
      kek, err = agree(mine, theirs, algorithm.is_direct and header.enc or header.alg, header, algorithm.wrap or size)
    end
  else
    kek, err = secret_of(key, algorithm.wrap)
  end
  if not kek or algorithm.is_direct then
    return kek, kek and "" or err
  end
  local cek = core.random(size)
  return cek, wrap(kek, cek)
end

-- ---- content (RFC 7518 5)

local function tag_of(e, cek, iv, text, aad)
  return sub(core.hmac(e.md, sub(cek, 1, e.size / 2), aad .. iv .. text .. number(#aad * 8, 8)), 1, e.size / 2)
end

local function open(e, cek, iv, text, tag, aad)
  local c = cipher.new(e.cipher)
  if not e.md then
    return #iv == 12 and #tag == 16 and c:decrypt(cek, iv, text, false, aad, tag) or nil
  elseif #iv ~= 16 or not is_equal(tag_of(e, cek, iv, text, aad), tag) then
    return nil
  end
  return (c:decrypt(sub(cek, e.size / 2 + 1), iv, text))
end

local function close(e, cek, plaintext, aad)
  local c = cipher.new(e.cipher)
  local iv = core.random(e.md and 16 or 12)
  if not e.md then
    local text, err = c:encrypt(cek, iv, plaintext, false, aad)
    return iv, text, text and c:get_aead_tag(16) or err
  end
  local text, err = c:encrypt(sub(cek, e.size / 2 + 1), iv, plaintext)
  return iv, text, text and tag_of(e, cek, iv, text, aad) or err
end

-- ---- kong.jwe

local function check(v, name, also)
  if type(v) ~= "string" and type(v) ~= also then
    error(name .. " must be a string" .. (also and " or a table" or ""), 3)
  end
end

local NAMES = { "protected", "encrypted_key", "iv", "ciphertext", "tag" }

local function parse(token)
  local pieces = { match(token, "^([%w_-]+)%.([%w_-]*)%.([%w_-]+)%.([%w_-]*)%.([%w_-]+)$") }
  if #token > TOKEN_MAX or #pieces ~= 5 then
    return nil, "not a JWE in the compact form"
  end
  local out = { aad = pieces[1] }
  for i = 1, 5 do
    out[i] = decode(pieces[i])
    if not out[i] then
      return nil, "not a JWE in the compact form"
    end
    out[NAMES[i]] = out[i]
  end
  local header = json.decode(out[1])
  if type(header) ~= "table" then
    return nil, "the header is no JSON object"
  end
  out[1], out.protected, out[6] = header, header, out.aad
  return out
end

local function look_up(header)
  local algorithm, encryption = ALGORITHMS[header.alg], ENCRYPTIONS[header.enc]
  if not algorithm then
    return nil, "unsupported alg: " .. (type(header.alg) == "string" and header.alg or type(header.alg))
  elseif not encryption then
    return nil, "unsupported enc: " .. (type(header.enc) == "string" and header.enc or type(header.enc))
  elseif header.zip ~= nil or header.crit ~= nil then
    return nil, "zip and crit are not supported"
  end
  return algorithm, encryption
end

local M = {}

function M.decode(token)
  check(token, "token")
  return parse(token)
end

function M.decrypt(key, token)
  check(key, "key", "table")
  check(token, "token")
  local t, err = parse(token)
  if not t then
    return nil, err
  end
  local algorithm, encryption = look_up(t.protected)
  if not algorithm then
    return nil, encryption
  end
  local cek
  cek, err = unlock(algorithm, key, t.protected, t.encrypted_key, encryption.size)
  if not cek or #cek ~= encryption.size then
    return nil, not cek and err or WRONG
  end
  local text = open(encryption, cek, t.iv, t.ciphertext, t.tag, t.aad)
  if not text then
    return nil, WRONG
  end
  return text
end

function M.encrypt(alg, enc, key, plaintext, options)
  check(alg, "alg")
  check(enc, "enc")
  check(key, "key", "table")
  check(plaintext, "plaintext")
  if options ~= nil and type(options) ~= "table" then
    error("options must be a table", 2)
  end
  local header = {}
  for name, value in pairs(options or {}) do
    header[name] = value
  end
  header.alg, header.enc = alg, enc
  local algorithm, encryption = look_up(header)
  if not algorithm then
    return nil, encryption
  end
  local cek, encrypted = lock(algorithm, key, header, encryption.size)
  if not cek then
    return nil, encrypted
  end
  local text = json.encode(header)
  if not text then
    return nil, "options cannot be written as JSON"
  end
  local aad = encode(text)
  local iv, ciphertext, tag = close(encryption, cek, plaintext, aad)
  if not ciphertext then
    return nil, tag
  end
  return concat({ aad, encode(encrypted), encode(iv), encode(ciphertext), encode(tag) }, ".")
end

return M
