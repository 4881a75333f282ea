-- SPDX-License-Identifier: Apache-2.0
-- Ciphers (CBC, CTR, ECB, CFB, OFB, GCM, ChaCha20-Poly1305): new(name), encrypt(), decrypt(), or init(),
-- update(), final().  What update() takes is kept until final(), which gives the whole text.
local concat, error, setmetatable, type = table.concat, error, setmetatable, type
local core = ...
local cipher = core.cipher
local M = {}
local CIPHER = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.name) ~= "string" or type(self.key_size) ~= "number" then
    error("expect a cipher instance at #1", 3)
  end
end

function M.new(name)
  local key_size, iv_size, is_aead
  if type(name) == "string" then
    key_size, iv_size, is_aead = core.cipher_sizes(name)
  end
  if not key_size then
    return nil, 'cipher.new: invalid cipher type "' .. (type(name) == "string" and name or type(name)) .. '"'
  end
  return setmetatable({ name = name, key_size = key_size, iv_size = iv_size, is_aead = is_aead, block_size = 16 }, CIPHER)
end

function M.istype(v)
  return type(v) == "table" and type(v.name) == "string" and type(v.key_size) == "number"
end

function M:get_provider_name()
  check(self)
  return "default"
end

local function fits(self, key, iv)
  if type(key) ~= "string" or #key ~= self.key_size then
    return nil, "cipher:init: incorrect key size, expect " .. self.key_size
  end
  if not self.is_aead and (iv or "") ~= "" and #iv ~= self.iv_size or (self.iv_size > 0 and type(iv) ~= "string") then
    return nil, "cipher:init: incorrect iv size, expect " .. self.iv_size
  end
  return true
end

local function run(self, is_encrypting, key, iv, text, is_unpadded, aad, tag)
  local out, made = cipher(self.name, is_encrypting, key, iv or "", text, is_unpadded, aad, tag)
  self.tag = made
  if not out then
    return nil, "cipher: the text, its padding or its tag is not as it should be"
  end
  return out
end

function M:encrypt(key, iv, text, is_unpadded, aad)
  check(self)
  local ok, err = fits(self, key, iv)
  if not ok then
    return nil, err
  end
  return run(self, true, key, iv, text, is_unpadded, aad)
end

function M:decrypt(key, iv, text, is_unpadded, aad, tag)
  check(self)
  local ok, err = fits(self, key, iv)
  if not ok then
    return nil, err
  end
  return run(self, false, key, iv, text, is_unpadded, aad, tag)
end

function M:init(key, iv, opts)
  check(self)
  local ok, err = fits(self, key, iv)
  if not ok then
    return nil, err
  end
  opts = opts or {}
  self.state = { key = key, iv = iv, is_encrypting = opts.is_encrypt, is_unpadded = opts.no_padding, parts = {}, aad = "" }
  return true
end

function M:update_aead_aad(aad)
  check(self)
  if not self.state or not self.is_aead then
    return nil, "cipher:update_aead_aad: init() an AEAD cipher first"
  end
  self.state.aad = self.state.aad .. aad
  return true
end

function M:set_aead_tag(tag)
  check(self)
  if not self.state then
    return nil, "cipher:set_aead_tag: cipher is not initialized"
  end
  self.state.tag = tag
  return true
end

function M:get_aead_tag(size)
  check(self)
  if not self.tag then
    return nil, "cipher:get_aead_tag: nothing was encrypted"
  end
  return self.tag:sub(1, size)
end

function M:update(...)
  check(self)
  if not self.state then
    return nil, "cipher:update: cipher is not initialized"
  end
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if type(text) ~= "string" then
      return nil, "cipher:update: expect a string at #" .. i
    end
    self.state.parts[#self.state.parts + 1] = text
  end
  return ""
end

function M:final(text)
  check(self)
  local s = self.state
  if not s then
    return nil, "cipher:final: cipher is not initialized"
  end
  if text then
    s.parts[#s.parts + 1] = text
  end
  self.state = nil
  return run(self, s.is_encrypting, s.key, s.iv, concat(s.parts), s.is_unpadded, s.aad, s.tag)
end

return M
