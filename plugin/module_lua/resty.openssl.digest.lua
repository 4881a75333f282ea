-- SPDX-License-Identifier: Apache-2.0
-- Digests: new(name), update(text …), final([text]) → bytes, reset().
local concat, type = table.concat, type
local core = ...
local digest = core.digest
local M, wrap, check = core.part("_fed_class")("digest", "algorithm", function(self, text)
  return digest(self.algorithm, text)
end)

function M.new(name)
  name = name or "sha1"
  if type(name) ~= "string" or not digest(name, "") then
    return nil, 'digest.new: invalid digest type "' .. (type(name) == "string" and name or type(name)) .. '"'
  end
  return wrap({ algorithm = name })
end

function M:text()
  return concat(check(self))
end

return M
