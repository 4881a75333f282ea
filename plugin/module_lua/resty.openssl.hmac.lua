-- SPDX-License-Identifier: Apache-2.0
-- HMAC: new(key, digest name), update(text …), final([text]) → bytes, reset().
local type = type
local core = ...
local hmac = core.hmac
local M, wrap = core.part("_fed_class")("hmac", "key", function(self, text)
  return hmac(self.algorithm, self.key, text)
end)

function M.new(key, name)
  name = name or "sha1"
  if type(key) ~= "string" then
    return nil, "hmac.new: expect a string at #1"
  end
  if type(name) ~= "string" or not hmac(name, key, "") then
    return nil, 'hmac.new: invalid digest type "' .. (type(name) == "string" and name or type(name)) .. '"'
  end
  return wrap({ key = key, algorithm = name })
end

return M
