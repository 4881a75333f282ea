-- SPDX-License-Identifier: Apache-2.0
-- ngx.req.add_header(name, value or values).
local error, get_headers, ipairs, set_header, type = error, ngx.req.get_headers, ipairs, ngx.req.set_header, type

return {
  version = "1.0",
  add_header = function(name, value)
    if type(name) ~= "string" or name == "" then
      error("bad 'name' argument: string expected, got " .. type(name), 2)
    end
    local all, old = {}, get_headers(0)[name]
    for _, v in ipairs(type(old) == "table" and old or { old }) do
      all[#all + 1] = v
    end
    for _, v in ipairs(type(value) == "table" and value or { value }) do
      all[#all + 1] = v
    end
    set_header(name, all)
  end,
}
