-- SPDX-License-Identifier: Apache-2.0
-- Objects that are fed text in pieces: update(text …), final([text]), reset().  The text is kept, so
-- that there is nothing to free.  Returns the class's methods, wrap(object) and check(self).
-- finish(self, text): the result; `owned`: a text field that only this kind has.
local concat, error, ipairs, setmetatable, type = table.concat, error, ipairs, setmetatable, type

return function(title, owned, finish)
  local M = {}
  local OBJECT = { __index = M, __metatable = false }

  function M.istype(v)
    return type(v) == "table" and type(v.parts) == "table" and type(v[owned]) == "string"
  end

  local function check(self)
    if not M.istype(self) then
      error("expect a " .. title .. " instance at #1", 3)
    end
    return self.parts
  end

  function M:update(...)
    local parts = check(self)
    for _, text in ipairs({ ... }) do
      if type(text) ~= "string" then
        return nil, title .. ":update: expect strings"
      end
      parts[#parts + 1] = text
    end
    return true
  end

  function M:final(text)
    local parts = check(self)
    if type(text) == "string" then
      parts[#parts + 1] = text
    end
    return finish(self, concat(parts))
  end

  function M:reset()
    check(self)
    self.parts = {}
    return true
  end

  return M, function(object)
    object.parts = {}
    return setmetatable(object, OBJECT)
  end, check
end
