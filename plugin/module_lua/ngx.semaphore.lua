-- SPDX-License-Identifier: Apache-2.0
-- Semaphores between the requests and light threads of one plugin in one worker.
local C = ...
local error, setmetatable, tonumber, type = error, setmetatable, tonumber, type

local semaphore = { version = "1.0" }
local methods = {}
local meta = { __index = methods, __metatable = false }

function semaphore.new(n)
  n = tonumber(n) or 0
  if n < 0 then
    error("no negative number", 2)
  end
  return setmetatable({ n = n, queue = C.new_queue() }, meta)
end

local function check(self)
  if type(self) ~= "table" or not self.queue then
    error("not a semaphore instance", 3)
  end
end

function methods:post(n)
  check(self)
  n = n == nil and 1 or tonumber(n)
  if not n or n < 1 then
    error("no negative number", 2)
  end
  self.n = self.n + n
  for _ = 1, n do
    if not C.wake_one(self.queue) then
      break
    end
  end
  return true
end

function methods:wait(timeout)
  check(self)
  timeout = tonumber(timeout)
  if not timeout or timeout < 0 then
    error("no negative number", 2)
  end
  local until_ms = C.mono_ms() + timeout * 1000
  while self.n <= 0 do
    local left = until_ms - C.mono_ms()
    if left <= 0 then
      return nil, "timeout"
    end
    local bad = C.wait_check()
    if bad then
      error(bad, 2)
    end
    C.park(self.queue, left)
  end
  self.n = self.n - 1
  return true
end

-- Below zero: how many wait.
function methods:count()
  check(self)
  local waiting = C.n_waiting(self.queue)
  return waiting > 0 and -waiting or self.n
end

return semaphore
