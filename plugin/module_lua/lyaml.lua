-- SPDX-License-Identifier: Apache-2.0
-- YAML: load(text, [{ all = true }]), dump(list of documents). Plain data only: text of at most 1 MB,
-- 65,536 values once aliases are expanded, 128 levels; maps are written in the order of their keys.
local core = ...
local error, ipairs, null, type = error, ipairs, ngx.null, type
local M = { null = null }

local function refuse_options(what, options)
  for _, name in ipairs({ "anchors", "implicit_scalar", "explicit_scalar" }) do
    if options[name] ~= nil then
      error(what .. ": the option " .. name .. " is not available", 3)
    end
  end
end

function M.isnull(v)
  return v == null
end

function M.load(text, options)
  if type(text) ~= "string" then
    error("bad argument #1 to 'load' (string expected, got " .. type(text) .. ")", 2)
  end
  local all = options == true
  if type(options) == "table" then
    refuse_options("load", options)
    all = options.all and true or false
  end
  local documents, why = core.yaml_load(text, all)
  if not documents then
    error(why, 2)
  end
  if all then
    return documents
  end
  return documents[1]
end

function M.dump(documents, options)
  if type(documents) ~= "table" then
    error("bad argument #1 to 'dump' (table expected, got " .. type(documents) .. ")", 2)
  end
  if type(options) == "table" then
    refuse_options("dump", options)
  end
  local text, why = core.yaml_dump(documents)
  if not text then
    error(why, 2)
  end
  return text
end

return M
