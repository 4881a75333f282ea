-- SPDX-License-Identifier: Apache-2.0
-- SHA-256 of a string.
local digest, hex, encode = (...).digest, (...).hex, ngx.encode_base64
local base64url = require("ngx.base64").encode_base64url
local M = {}

function M.sha256_bin(s)
  return digest("sha256", s)
end

function M.sha256_hex(s)
  return hex(digest("sha256", s))
end

function M.sha256_base64(s)
  return encode(digest("sha256", s))
end

function M.sha256_base64url(s)
  return base64url(digest("sha256", s))
end

return M
