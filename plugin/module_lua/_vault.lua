-- SPDX-License-Identifier: Apache-2.0
-- kong.vault: what walks a plugin's tables or calls its functions.
local F = ...
local get = F.get
local error, next, type = error, next, type
local M = { get = get, is_reference = F.is_reference, parse_reference = F.parse_reference }

local function set(t, field, reference)
  if type(reference) == "string" then
    local value, err = get(reference)
    if not value then
      kong.log.warn("error updating secret reference ", reference, ": ", err)
    end
    t[field] = value or ""
  end
end

local function update(t, depth)
  local refs = t["$refs"]
  if type(refs) == "table" then
    for field, reference in next, refs do
      if type(reference) == "table" and type(t[field]) == "table" then
        for k, r in next, reference do
          if r ~= "" then
            set(t[field], k, r)
          end
        end
      else
        set(t, field, reference)
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

-- Anything but a table is given back as it is.
function M.update(t)
  return type(t) == "table" and update(t, 0) or t
end

-- Does it, or a record in it, refer to anything?
local function has_references(t, depth)
  if type(t) ~= "table" or depth > 32 then
    return false
  end
  if type(t["$refs"]) == "table" and next(t["$refs"]) ~= nil then
    return true
  end
  for name, value in next, t do
    if name ~= "$refs" and has_references(value, depth + 1) then
      return true
    end
  end
  return false
end

function M.try(callback, options)
  if type(callback) ~= "function" then
    error("callback must be a function", 2)
  end
  if not has_references(options, 0) then
    return callback(options)
  end
  local res = callback(update(options, 0))
  if res then
    return res
  end
  return callback(update(options, 0))
end

return M
