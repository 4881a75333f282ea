-- SPDX-License-Identifier: Apache-2.0
-- Random UUIDs (RFC 9562, version 4).
local find, type, uuid = string.find, type, (...).uuid
local M = { uuid = uuid, generate_v4 = uuid }
local HEX4 = "%x%x%x%x"

function M.is_valid_uuid(s)
  return type(s) == "string" and #s == 36
    and find(s, "^" .. HEX4 .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. "%-" .. HEX4 .. HEX4 .. HEX4 .. "$") ~= nil
end

return M
