-- SPDX-License-Identifier: Apache-2.0
-- Objects that are DER and what was read of it: istype(), tostring(), to_PEM(), digest(), verify().
-- Returns the class's methods, read(text), which is an object or nil, and check(self), which a method
-- calls with what it got.
local error, setmetatable, type = error, setmetatable, type
local core = ...

return function(title, kind, label)
  local M = {}
  local OBJECT = { __index = M, __metatable = false }

  function M.istype(v)
    return type(v) == "table" and v.kind == kind and type(v.der) == "string" and type(v.facts) == "table"
  end

  local function check(self)
    if not M.istype(self) then
      error("expect a " .. title .. " instance at #1", 3)
    end
    return self.facts
  end

  function M:tostring(format)
    check(self)
    return format == "DER" and self.der or core.part("_pem")(label, self.der)
  end
  OBJECT.__tostring = M.tostring

  function M:to_PEM()
    check(self)
    return M.tostring(self, "PEM")
  end

  function M:digest(md)
    check(self)
    return core.digest(md or "sha1", self.der)
  end

  function M:verify(key)
    check(self)
    if not core.part("resty.openssl.pkey").istype(key) then
      return false, title .. ":verify: expect a pkey instance at #1"
    end
    return core.x509_verify(kind, self.der, key.der)
  end

  local function read(text)
    local facts = core.x509_read(kind, text)
    return facts and setmetatable({ kind = kind, der = facts.der, facts = facts }, OBJECT)
  end

  return M, read, check
end
