-- SPDX-License-Identifier: Apache-2.0
-- SHA-1 of a string.
local digest, hex = (...).digest, (...).hex

return {
  sha1_bin = function(s)
    return digest("sha1", s)
  end,
  sha1_hex = function(s)
    return hex(digest("sha1", s))
  end,
}
