-- SPDX-License-Identifier: Apache-2.0
-- Base64 in the alphabet of URLs (RFC 4648, section 5), without padding.
local decode, encode, find, gsub, type = ngx.decode_base64, ngx.encode_base64, string.find, string.gsub, type
local M = { version = "1.0" }
local TO_URL = { ["+"] = "-", ["/"] = "_" }
local FROM_URL = { ["-"] = "+", ["_"] = "/" }

function M.encode_base64url(s)
  if type(s) ~= "string" then
    return nil, "must provide a string"
  end
  return (gsub(encode(s, true), "[+/]", TO_URL))
end

function M.decode_base64url(s)
  if type(s) ~= "string" then
    return nil, "must provide a string"
  end
  if find(s, "[+/]") then
    return nil, "invalid input"
  end
  local raw = decode((gsub(s, "[-_]", FROM_URL)))
  if not raw then
    return nil, "invalid input"
  end
  return raw
end

function M.decode_base64mime(s)
  if type(s) ~= "string" then
    return nil, "must provide a string"
  end
  local raw = decode((gsub(s, "[^%w+/=]", "")))
  if not raw then
    return nil, "invalid input"
  end
  return raw
end

return M
