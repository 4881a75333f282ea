-- SPDX-License-Identifier: Apache-2.0
-- Argon2 (RFC 9106), one lane: hash_encoded(password, salt, options), verify(encoded, password).  What
-- does not fit into the CPU time that is left is refused.
local core = ...
local error, type = error, type
local VARIANTS = { argon2_d = 0, argon2_i = 1, argon2_id = 2 }
local M = { _VERSION = "3.0.1", variants = VARIANTS }

local function text(v, n, name)
  if type(v) ~= "string" then
    error("bad argument #" .. n .. " to '" .. name .. "' (string expected, got " .. type(v) .. ")", 3)
  end
  return v
end

function M.hash_encoded(password, salt, options)
  text(password, 1, "hash_encoded")
  text(salt, 2, "hash_encoded")
  local o = type(options) == "table" and options or {}
  return core.argon2_hash(password, salt, o.variant or VARIANTS.argon2_i, o.t_cost or 3, o.m_cost or 4096, o.parallelism or 1,
    o.hash_len or 32)
end

function M.verify(encoded, password)
  return core.argon2_verify(text(encoded, 1, "verify"), text(password, 2, "verify"))
end

return M
