-- SPDX-License-Identifier: Apache-2.0
-- kong.vault: what walks a plugin's tables or calls its functions.
local F = ...
local get = F.get
local error, next, type = error, next, type
local M = { get = get, is_reference = F.is_reference, parse_reference = F.parse_reference }

local function lookup(reference)
  return type(reference) == "string" and reference ~= "" and (get(reference) or "") or nil
end

local function update(t, depth)
  local refs = t["$refs"]
  if type(refs) == "table" then
    for field, reference in next, refs do
      if type(reference) == "table" and type(t[field]) == "table" then
        for k, r in next, reference do
          t[field][k] = lookup(r) or t[field][k]
        end
      else
        t[field] = lookup(reference) or t[field]
      end
    end
  end
  for name, value in next, t do
    if name ~= "$refs" and type(value) == "table" and depth < 32 then
      update(value, depth + 1)
    end
  end
  return t
end

function M.update(t)
  if type(t) ~= "table" then
    error("config must be a table", 2)
  end
  return update(t, 0)
end

function M.try(callback, options)
  if type(callback) ~= "function" then
    error("callback must be a function", 2)
  end
  if options ~= nil and type(options) ~= "table" then
    error("options must be a table or nil", 2)
  end
  local res, err = callback(options)
  if res or not options or not options["$refs"] then
    return res, err
  end
  update(options, 0)
  return callback(options)
end

return M
