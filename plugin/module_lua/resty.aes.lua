-- SPDX-License-Identifier: Apache-2.0
-- AES: new(self, key, nil, cipher(bits, mode), { iv = … }), encrypt(), decrypt().
local core = ...
local cipher = core.cipher
local error, setmetatable, type = error, setmetatable, type
local M = { _VERSION = "0.14" }
local OBJECT = { __index = M, __metatable = false }
local MODES = { cbc = 16, ctr = 16, ecb = 0, cfb1 = 16, cfb8 = 16, cfb128 = 16, ofb = 16, gcm = 12 }
local SIZES = { [128] = 16, [192] = 24, [256] = 32 }

function M.cipher(size, mode)
  size, mode = size or 128, mode or "cbc"
  if not SIZES[size] or not MODES[mode] then
    return nil
  end
  return { size = size, cipher = mode }
end

-- Key and IV are given (options.iv), never derived from a password.
function M:new(key, salt, how, options)
  how = how or M.cipher()
  options = type(options) == "table" and options or {}
  local n, iv_n = SIZES[how.size], MODES[how.cipher]
  if type(key) ~= "string" or salt ~= nil or not n then
    return nil, "a key without salt is expected"
  end
  local iv = options.iv or ""
  if type(iv) ~= "string" or #iv ~= iv_n then
    return nil, "bad iv"
  end
  if type(key) ~= "string" or #key ~= n then
    return nil, "bad key length"
  end
  return setmetatable({ name = "aes-" .. how.size .. "-" .. how.cipher, key = key, iv = iv, is_unpadded = options.enable_padding == false }, OBJECT)
end

local function check(self, text)
  if type(self) ~= "table" or type(self.name) ~= "string" or type(self.key) ~= "string" then
    error("not an aes object", 3)
  end
  if type(text) ~= "string" then
    error("string expected", 3)
  end
end

-- With GCM: { text, tag }.
function M:encrypt(text, aad)
  check(self, text)
  local out, tag = cipher(self.name, true, self.key, self.iv, text, self.is_unpadded, aad)
  if tag then
    return { out, tag }
  end
  return out
end

function M:decrypt(text, tag, aad)
  check(self, text)
  return cipher(self.name, false, self.key, self.iv, text, self.is_unpadded, aad, tag)
end

return M
