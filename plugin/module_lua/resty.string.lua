-- SPDX-License-Identifier: Apache-2.0
-- Hexadecimal text and numbers.
local error, floor, hex, tonumber, type = error, math.floor, (...).hex, tonumber, type

return {
  _VERSION = "0.14",
  to_hex = function(s)
    if type(s) ~= "string" then
      error("bad argument #1 to 'to_hex' (string expected, got " .. type(s) .. ")", 2)
    end
    return hex(s)
  end,
  atoi = function(s)
    local n = tonumber(s)
    return n and floor(n) or 0
  end,
}
