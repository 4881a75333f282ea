-- SPDX-License-Identifier: Apache-2.0
-- resty.lock: a lock between the workers of a node.  It ends with unlock(), after exptime, with
-- its request, or with its worker.
local F = ...
local clock, hold, may_wait, prolong, release = F.clock, F.hold, F.may_wait, F.prolong, F.release
local error, next, setmetatable, sleep, type = error, next, setmetatable, ngx.sleep, type

local M = { _VERSION = "0.09" }
local LOCK = { __index = M, __metatable = false }
local DEFAULTS = { exptime = 30, timeout = 5, step = 0.001, ratio = 2, max_step = 0.5 }
local EXPTIME_MAX = 86400

function M.new(_, dict_name, opts)
  if type(dict_name) ~= "string" or dict_name == "" then
    return nil, "dictionary not found"
  end
  if opts ~= nil and type(opts) ~= "table" then
    error("opts must be a table", 2)
  end
  local self = { name = #dict_name .. ":" .. dict_name .. ":" }
  for name, default in next, DEFAULTS do
    local v = opts and opts[name]
    if v ~= nil and not (type(v) == "number" and v >= 0) then
      error(name .. " must be a number >= 0", 2)
    end
    self[name] = v or default
  end
  if self.timeout > self.exptime then
    self.timeout = self.exptime
  end
  return setmetatable(self, LOCK)
end

local function span(seconds)
  if not (seconds > 0) then
    return 0.001
  end
  return seconds < EXPTIME_MAX and seconds or EXPTIME_MAX
end

-- seconds waited | nil, "locked" (by this object), "timeout" or why
function M:lock(key)
  if key == nil then
    return nil, "nil key"
  end
  if type(key) ~= "string" then
    error("key must be a string", 2)
  end
  if self.token then
    return nil, "locked"
  end
  local full, start, step, waited = self.name .. key, clock(), self.step, 0
  while true do
    local token, err = hold(full, span(self.exptime), true)
    if token then
      self.key, self.token = full, token
      return waited
    end
    if err ~= "locked" then
      return nil, err
    end
    local left = self.timeout - waited
    if left <= 0 or not may_wait() then
      return nil, "timeout"
    end
    sleep(step < left and step or left)
    waited = (clock() - start) / 1000
    step = step > 0 and step * self.ratio or 0.001
    if step > self.max_step then
      step = self.max_step > 0 and self.max_step or 0.001
    end
  end
end

function M:unlock()
  local key, token = self.key, self.token
  if not token then
    return nil, "unlocked"
  end
  self.key, self.token = nil, nil
  if not release(key, token, true) then
    return nil, "unlocked"
  end
  return 1
end

function M:expire(time)
  if not self.token then
    return nil, "unlocked"
  end
  if time ~= nil and not (type(time) == "number" and time >= 0) then
    error("time must be a number >= 0", 2)
  end
  if not prolong(self.key, self.token, true, span(time or self.exptime)) then
    self.key, self.token = nil, nil
    return nil, "unlocked"
  end
  return true
end

return M
