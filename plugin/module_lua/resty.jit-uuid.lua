-- SPDX-License-Identifier: Apache-2.0
-- UUIDs (RFC 9562): version 4 at random, versions 3 and 5 by name.
local byte, char, find, gsub, lower = string.byte, string.char, string.find, string.gsub, string.lower
local core = ...
local band, bor, setmetatable, sub, type = bit.band, bit.bor, setmetatable, string.sub, type
local digest, hex, unhex, uuid = core.digest, core.hex, core.unhex, core.uuid
local M = { _VERSION = "0.0.7", generate_v4 = uuid }
local PATTERN = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

function M.seed(seed)
  return seed or 0 -- the kernel's random generator needs none
end

function M.is_valid(s)
  return type(s) == "string" and find(s, PATTERN) ~= nil
end

local function text(raw, version)
  local b7, b9 = byte(raw, 7), byte(raw, 9)
  local h = hex(sub(raw, 1, 6) .. char(bor(band(b7, 0x0f), version * 16)) .. sub(raw, 8, 8)
    .. char(bor(band(b9, 0x3f), 0x80)) .. sub(raw, 10, 16))
  return sub(h, 1, 8) .. "-" .. sub(h, 9, 12) .. "-" .. sub(h, 13, 16) .. "-" .. sub(h, 17, 20) .. "-" .. sub(h, 21)
end

local function factory(algorithm, version)
  return function(namespace)
    if not M.is_valid(namespace) then
      return nil, "namespace must be a valid UUID"
    end
    local prefix = unhex(lower((gsub(namespace, "-", ""))))
    return function(name)
      if type(name) ~= "string" then
        return nil, "name must be a string"
      end
      return text(digest(algorithm, prefix .. name), version)
    end
  end
end

M.factory_v3 = factory("md5", 3)
M.factory_v5 = factory("sha1", 5)

function M.generate_v3(namespace, name)
  local f, err = M.factory_v3(namespace)
  if not f then
    return nil, err
  end
  return f(name)
end

function M.generate_v5(namespace, name)
  local f, err = M.factory_v5(namespace)
  if not f then
    return nil, err
  end
  return f(name)
end

return setmetatable(M, { __call = M.generate_v4 })
