-- SPDX-License-Identifier: Apache-2.0
-- JSON whose arrays know that they are arrays.
local cjson = require("cjson.safe")
local setmetatable, type = setmetatable, type

return {
  decode_with_array_mt = function(text)
    return cjson.decode(text)
  end,
  encode = function(value)
    return cjson.encode(value)
  end,
  null = cjson.null,
  new = function()
    return cjson
  end,
  array_mt = cjson.array_mt,
  as_array = function(t)
    return type(t) == "table" and setmetatable(t, cjson.array_mt) or t
  end,
}
