-- SPDX-License-Identifier: Apache-2.0
-- Distinguished names: new(), add(attribute, value), find(attribute), each(), tostring().
local concat, sort, type = table.concat, table.sort, type
local core = ...
local object, x509_name = core.object, core.x509_name
local M, class, check = core.part("_list_class")("x509.name", "entries")

local function wrap(entries, der)
  return class({ entries = entries, der = der })
end

-- For other modules.
function M._of(der)
  local entries = der and x509_name(der)
  return entries and wrap(entries, der)
end

function M.new()
  return wrap({})
end

function M:dup()
  local copy = {}
  for i, e in ipairs(check(self)) do
    copy[i] = e
  end
  return wrap(copy, self.der)
end

function M:add(attribute, value)
  local entries = check(self)
  local o = (type(attribute) == "string" or type(attribute) == "number") and object(attribute)
  if not o or type(value) ~= "string" then
    return nil, "x509.name:add: expect an attribute at #1 and a string at #2"
  end
  o.blob = value
  entries[#entries + 1] = o
  self.der = nil
  return self
end

function M:find(attribute, last)
  local o = (type(attribute) == "string" or type(attribute) == "number") and object(attribute)
  if not o then
    return nil, nil, "x509.name:find: unknown attribute"
  end
  local entries = check(self)
  for i = (last or 0) + 1, #entries do
    if entries[i].id == o.id then
      return entries[i], i
    end
  end
  return nil
end

function M:each()
  local entries, i = check(self), 0
  return function()
    i = i + 1
    if entries[i] then
      return entries[i].sn, entries[i]
    end
  end
end

function M:tostring()
  local out = {}
  for i, e in ipairs(check(self)) do
    out[i] = e.sn .. "=" .. (e.blob or "")
  end
  sort(out)
  return concat(out, "/")
end

return M
