-- SPDX-License-Identifier: Apache-2.0
-- ngx.thread.*: light threads of one phase.  They share its budget; the phase is over when all
-- of them have ended.
local C = ...
local error, pcall, select, setmetatable, type, unpack = error, pcall, select, setmetatable, type, unpack

local meta = { __metatable = false }
local thread = {}

local function finish(t, ...)
  t.n, t.results, t.is_over = select("#", ...), { ... }, true
  for i = 1, #t.watchers do
    C.wake(t.watchers[i])
  end
end

local function check_phase()
  local bad = C.wait_check()
  if bad then
    error(bad, 3)
  end
end

function thread.spawn(f, ...)
  check_phase()
  if type(f) ~= "function" then
    error("bad argument #1 to 'spawn' (function expected, got " .. type(f) .. ")", 2)
  end
  local n, args = select("#", ...), { ... }
  local t = setmetatable({ watchers = {} }, meta)
  local id, err = C.thread_spawn(function()
    finish(t, pcall(f, unpack(args, 1, n)))
  end)
  if not id then
    return nil, err
  end
  t.id = id
  return t
end

local function check(t, name)
  if type(t) ~= "table" or not t.watchers then
    error("bad argument to '" .. name .. "' (thread expected, got " .. type(t) .. ")", 3)
  end
end

-- The first of them that has ended: true and its results, or false and its error.
function thread.wait(...)
  check_phase()
  local n, all, queue = select("#", ...), { ... }, nil
  if n == 0 then
    error("at least one coroutine should be specified", 2)
  end
  for i = 1, n do
    check(all[i], "wait")
    if all[i].is_waited then
      return nil, "already waited or killed"
    end
  end
  while true do
    for i = 1, n do
      local t = all[i]
      if t.is_over then
        t.is_waited = true
        return unpack(t.results, 1, t.n)
      end
    end
    if not queue then
      queue = C.new_queue()
      for i = 1, n do
        local watchers = all[i].watchers
        watchers[#watchers + 1] = queue
      end
    end
    C.park(queue)
  end
end

function thread.kill(t)
  check_phase()
  check(t, "kill")
  if t.is_waited then
    return nil, "already waited or killed"
  end
  if t.is_over then
    return nil, "already terminated"
  end
  if not C.thread_kill(t.id) then
    return nil, "already terminated"
  end
  t.is_waited = true
  finish(t, nil, "killed")
  return 1
end

return thread
