-- SPDX-License-Identifier: Apache-2.0
-- MACs: new(key, kind, cipher, digest), update(text …), final([text]) → bytes; kinds are HMAC, CMAC,
-- KMAC-128, KMAC-256, Poly1305, SipHash, BLAKE2BMAC, BLAKE2SMAC.
local type = type
local core = ...
local hmac, mac = core.part("resty.openssl.hmac"), core.mac
local M, wrap = core.part("_fed_class")("mac", "kind", function(self, text)
  return mac(self.kind, self.key, text, self.cipher)
end)
local is_mac = M.istype

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
  return wrap({ key = key, kind = kind, cipher = cipher })
end

function M.istype(v)
  return hmac.istype(v) or is_mac(v)
end

return M
