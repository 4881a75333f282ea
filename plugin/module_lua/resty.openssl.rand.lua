-- SPDX-License-Identifier: Apache-2.0
-- Random bytes from the kernel.
local random, type = (...).random, type

return {
  bytes = function(n)
    if type(n) ~= "number" then
      return nil, "rand.bytes: expect a number at #1"
    end
    return random(n)
  end,
}
