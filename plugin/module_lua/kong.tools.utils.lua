-- SPDX-License-Identifier: Apache-2.0
-- The functions of kong.tools.{string,table,time,timestamp,rand,uuid,ip,uri,…} under the one name of old.
local part = (...).part
local M = {}

for _, name in ipairs({ "string", "table", "time", "rand", "uuid", "ip", "uri", "sha256", "gzip", "yield" }) do
  for key, value in pairs(part("kong.tools." .. name)) do
    if M[key] == nil then
      M[key] = value
    end
  end
end

return M
