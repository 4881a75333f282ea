-- SPDX-License-Identifier: Apache-2.0
-- Objects that hold a list in a field: istype(), each(), all(), count(), and [i].
-- Returns the class's methods, wrap(object) and check(self), which a method calls with what it got.
-- show(element), where there is one: what all() and [i] give of an element.
local error, setmetatable, type = error, setmetatable, type

return function(title, field, show)
  local M = {}
  local OBJECT = { __metatable = false }

  local function check(self)
    if type(self) ~= "table" or type(self[field]) ~= "table" then
      error("expect a " .. title .. " instance at #1", 3)
    end
    return self[field]
  end

  function M.istype(v)
    return type(v) == "table" and type(v[field]) == "table"
  end

  function M:each()
    local all, i = check(self), 0
    return function()
      i = i + 1
      if all[i] then
        return i, all[i]
      end
    end
  end

  function M:all()
    local all = check(self)
    if not show then
      return all
    end
    local out = {}
    for i = 1, #all do
      out[i] = show(all[i])
    end
    return out
  end

  function M:count()
    return #check(self)
  end

  function OBJECT:__index(key)
    if type(key) ~= "number" then
      return M[key]
    end
    local element = self[field][key]
    return element and show and show(element) or element
  end

  function OBJECT:__tostring()
    return M.tostring and M.tostring(self) or title
  end

  return M, function(object)
    return setmetatable(object, OBJECT)
  end, check
end
