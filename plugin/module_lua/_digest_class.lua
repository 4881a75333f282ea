-- SPDX-License-Identifier: Apache-2.0
-- Digests that are fed in pieces; the text is kept, so that there is nothing to free.
local concat, error, setmetatable, type = table.concat, error, setmetatable, type
local digest = (...).digest

return function(algorithm)
  local M = { _VERSION = "0.14" }
  local OBJECT = { __index = M, __metatable = false }

  local function check(self)
    if type(self) ~= "table" or type(self.parts) ~= "table" then
      error("not a " .. algorithm .. " object", 3)
    end
    return self.parts
  end

  function M.new()
    return setmetatable({ parts = {} }, OBJECT)
  end

  function M:update(text)
    local parts = check(self)
    if type(text) ~= "string" then
      error("bad argument #1 to 'update' (string expected, got " .. type(text) .. ")", 2)
    end
    parts[#parts + 1] = text
    return true
  end

  function M:final()
    return digest(algorithm, concat(check(self)))
  end

  function M:reset()
    check(self)
    self.parts = {}
    return true
  end

  return M
end
