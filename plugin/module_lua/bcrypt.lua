-- SPDX-License-Identifier: Apache-2.0
-- bcrypt: digest(password, cost), verify(password, hash).  What does not fit into the CPU time that is
-- left is refused.
local core = ...
local error, type = error, type

return {
  digest = function(password, cost)
    if type(password) ~= "string" or type(cost) ~= "number" then
      error("bad argument to 'digest' (a string and a number expected)", 2)
    end
    return core.bcrypt_digest(password, cost)
  end,
  verify = function(password, hash)
    if type(password) ~= "string" or type(hash) ~= "string" then
      error("bad argument to 'verify' (strings expected)", 2)
    end
    return core.bcrypt_verify(password, hash)
  end,
}
