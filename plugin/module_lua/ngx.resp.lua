-- SPDX-License-Identifier: Apache-2.0
-- ngx.resp.add_header(name, value or values).
local error, header, ipairs, type = error, ngx.header, ipairs, type

return {
  version = "1.0",
  add_header = function(name, value)
    if type(name) ~= "string" or name == "" then
      error("bad 'name' argument: string expected, got " .. type(name), 2)
    end
    local all, old = {}, header[name]
    for _, v in ipairs(type(old) == "table" and old or { old }) do
      all[#all + 1] = v
    end
    for _, v in ipairs(type(value) == "table" and value or { value }) do
      all[#all + 1] = v
    end
    header[name] = all
  end,
}
