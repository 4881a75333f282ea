-- SPDX-License-Identifier: Apache-2.0
-- Header fields: a table that finds names without regard to case, and with "_" for "-".
local C = ...
local lower, gsub, type, setmetatable = string.lower, string.gsub, type, setmetatable
local raw_get, raw_set = C.raw_get, C.raw_set

local headers = {}

local function key_of(name)
  return type(name) == "string" and gsub(lower(name), "_", "-") or name
end

function headers.new()
  local written = {} -- key → the name as it stands in the table
  return setmetatable({}, {
    __index = function(t, name)
      local as = written[key_of(name)]
      return as and raw_get(t, as)
    end,
    __newindex = function(t, name, value)
      local key = key_of(name)
      local as = written[key]
      if as and as ~= name then
        raw_set(t, as, nil)
      end
      written[key] = name
      raw_set(t, name, value)
    end,
    __metatable = false,
  })
end

return headers
