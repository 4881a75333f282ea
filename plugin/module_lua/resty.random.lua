-- SPDX-License-Identifier: Apache-2.0
-- Random bytes from the kernel.
local error, random, type = error, (...).random, type
local M = { _VERSION = "0.14" }

function M.bytes(n)
  if type(n) ~= "number" or n < 0 then
    error("bad argument #1 to 'bytes' (number expected)", 2)
  end
  return random(n)
end

return M
