-- SPDX-License-Identifier: Apache-2.0
-- PEM (RFC 7468): 64 characters in a line.
local encode, gsub = ngx.encode_base64, string.gsub

return function(label, der)
  local body = gsub(encode(der), ("."):rep(64), "%0\n")
  if body:sub(-1) ~= "\n" then
    body = body .. "\n"
  end
  return "-----BEGIN " .. label .. "-----\n" .. body .. "-----END " .. label .. "-----\n"
end
