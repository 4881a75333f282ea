-- SPDX-License-Identifier: Apache-2.0
-- Random bytes from the kernel.
local error, gsub, random, type = error, string.gsub, (...).random, type
local encode_base64, char = ngx.encode_base64, string.char
local M = {}

function M.get_rand_bytes(n)
  if type(n) ~= "number" then
    error("bad argument #1 'n_bytes' (number expected)", 2)
  end
  return random(n)
end

-- 32 letters and digits.
function M.random_string()
  local letters = gsub(encode_base64(random(24)), "[+/=]", function()
    return char(97 + random(1):byte() % 26)
  end)
  return letters
end

return M
