-- SPDX-License-Identifier: Apache-2.0
-- MACs: new(key, "HMAC", nil, digest name), update(text …), final([text]) → bytes.
local type = type
local hmac = (...).part("resty.openssl.hmac")
local M = { istype = hmac.istype }

function M.new(key, kind, _, name)
  if type(key) ~= "string" then
    return nil, "mac.new: expect a string at #1"
  end
  if kind ~= "HMAC" then
    return nil, "mac.new: only HMAC is available"
  end
  return hmac.new(key, name or "sha256")
end

return M
