-- SPDX-License-Identifier: Apache-2.0
-- The version of the contract.
local gmatch, setmetatable, tonumber, version = string.gmatch, setmetatable, tonumber, kong and kong.version or "3.15.0"
local parts = {}
for n in gmatch(version, "%d+") do
  parts[#parts + 1] = tonumber(n)
end
local TABLE = {
  __metatable = false,
  __tostring = function()
    return version
  end,
}

return {
  _NAME = "kong",
  _VERSION = version,
  _VERSION_TABLE = setmetatable({ major = parts[1], minor = parts[2], patch = parts[3] }, TABLE),
  version = version,
}
