-- SPDX-License-Identifier: Apache-2.0
-- OpenSSL's providers: there is "default", and plugins load no other.
local M = {}

function M.load(name)
  if name == "default" then
    return { name = name }
  end
  return nil, "provider.load: plugins use the default provider and load no other"
end

function M.is_available(name)
  return name == "default"
end

function M.istype(v)
  return type(v) == "table" and v.name == "default"
end

function M.set_default_search_path()
  return nil, "provider.set_default_search_path: plugins have no files"
end

return M
