-- SPDX-License-Identifier: Apache-2.0
-- MACs: new(key, kind, cipher, digest), update(text …), final([text]) → bytes; kinds are HMAC, CMAC,
-- KMAC-128, KMAC-256, Poly1305, SipHash, BLAKE2BMAC, BLAKE2SMAC.
local concat, error, ipairs, setmetatable, type = table.concat, error, ipairs, setmetatable, type
local core = ...
local hmac, mac = core.part("resty.openssl.hmac"), core.mac
local M = {}
local OBJECT = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.parts) ~= "table" or type(self.kind) ~= "string" then
    error("expect a mac instance at #1", 3)
  end
  return self.parts
end

function M.new(key, kind, cipher, name)
  if type(key) ~= "string" then
    return nil, "mac.new: expect a string at #1"
  elseif type(kind) ~= "string" then
    return nil, "mac.new: expect a string at #2"
  end
  if kind:upper() == "HMAC" then
    return hmac.new(key, name or "sha256")
  end
  if cipher ~= nil and type(cipher) ~= "string" then
    return nil, "mac.new: expect a string at #3"
  end
  if not mac(kind, key, "", cipher) then
    return nil, 'mac.new: "' .. kind .. '" is not available, or not with this key and cipher'
  end
  return setmetatable({ key = key, kind = kind, cipher = cipher, parts = {} }, OBJECT)
end

function M.istype(v)
  return hmac.istype(v) or type(v) == "table" and type(v.parts) == "table" and type(v.kind) == "string"
end

function M:update(...)
  local parts = check(self)
  for _, text in ipairs({ ... }) do
    if type(text) ~= "string" then
      return nil, "mac:update: expect strings"
    end
    parts[#parts + 1] = text
  end
  return true
end

function M:final(text)
  local parts = check(self)
  if type(text) == "string" then
    parts[#parts + 1] = text
  end
  return mac(self.kind, self.key, concat(parts), self.cipher)
end

function M:reset()
  check(self)
  self.parts = {}
  return true
end

return M
