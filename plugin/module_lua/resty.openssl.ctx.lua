-- SPDX-License-Identifier: Apache-2.0
-- OpenSSL's library contexts: there is one, and it is not configured by plugins.
local M = {}

function M.new(_, conf_file)
  if conf_file ~= nil then
    return nil, "ctx.new: plugins have no files"
  end
  return true
end

function M.free()
  return true
end

return M
