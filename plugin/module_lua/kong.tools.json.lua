-- SPDX-License-Identifier: Apache-2.0
-- JSON whose arrays know that they are arrays.
local cjson = require("cjson.safe")

return {
  decode = function(text, ...)
    return cjson.decode(text, ...)
  end,
  encode = function(value)
    return cjson.encode(value)
  end,
  decode_with_array_mt = function(text)
    return cjson.decode(text)
  end,
}
