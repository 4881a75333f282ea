-- SPDX-License-Identifier: Apache-2.0
-- kong.cache.  Three places a value may be in: this VM (1), the memory of the node (2), the
-- callback (3).
local F = ...
local clock, drop, hold, may_wait, outdate = F.clock, F.drop, F.hold, F.may_wait, F.outdate
local read, release, warn, write = F.read, F.release, F.warn, F.write
local error, pcall, sleep, tostring, type = error, pcall, ngx.sleep, tostring, type

local LEASE_S, WAIT_S = 30, 5 -- of the lock; for another's callback
local STEP_MAX_S = 0.25
local KEEP_S = 3600 -- how long an expired value can be resurrected
local RESURRECT_S = 30
local FAILED = "failed to get from node cache: "
local NODES_MAX = 1000

local M = {}
local NO_OPTIONS = {}

-- This VM's own copies: what was used lately is in `young`, the rest is forgotten by halves.
local young, old, n, epoch = {}, {}, 0, nil

local function keep(key, value, expires)
  local node = { value = value, expires = expires }
  if not young[key] then
    n = n + 1
  end
  young[key] = node
  if n >= NODES_MAX then
    young, old, n = {}, young, 0
  end
end

local function own(key, now, now_epoch)
  if now_epoch ~= epoch then
    young, old, n, epoch = {}, {}, 0, now_epoch
    return nil
  end
  local node = young[key] or old[key]
  if node and (node.expires == 0 or node.expires > now) then
    return node
  end
end

local function check_key(key)
  if type(key) ~= "string" then
    error("key must be a string", 3)
  end
end

local NUMBERS = { "ttl", "neg_ttl", "resurrect_ttl" }

local function check_options(opts, level)
  if opts == nil then
    return NO_OPTIONS
  end
  if type(opts) ~= "table" then
    error("opts must be a table", level)
  end
  for i = 1, #NUMBERS do
    local name = NUMBERS[i]
    local v = opts[name]
    if v ~= nil and type(v) ~= "number" then
      error("opts." .. name .. " must be a number", level)
    end
    if v ~= nil and not (v >= 0) then
      error("opts." .. name .. " must be >= 0", level)
    end
  end
  return opts
end

-- found, value, has_expired; or false and an error
local function fetch(key)
  -- before the value is read: whatever is invalidated meanwhile outdates it
  local now, now_epoch = clock()
  own(key, now, now_epoch)
  local expires, ttl, value = read(key)
  if not expires then
    return false, ttl
  end
  if expires ~= 0 and expires <= now then
    return true, value, true
  end
  keep(key, value, expires)
  return true, value, false
end

-- The lock of key: token; or nil, error; or nil, nil when somebody else brought a value.
local function take_lock(key, is_to_replace)
  local start = clock()
  while true do
    local token, err = hold(key, LEASE_S)
    if token then
      return token
    end
    if err ~= "locked" then
      return nil, err
    end
    local waited = (clock() - start) / 1000
    if not may_wait() or waited >= WAIT_S then
      return nil, "could not acquire callback lock: timeout"
    end
    -- looking costs CPU time of the plugin: an answer is late by a seventh at most
    local step = 0.001 + waited / 7
    sleep(step < STEP_MAX_S and step or STEP_MAX_S)
    if not is_to_replace then
      local found, _, has_expired = fetch(key)
      if found and not has_expired then
        return nil
      end
    end
  end
end

local function lasting(opts, value, ttl)
  if type(ttl) == "number" then
    return ttl
  end
  if value == nil then
    return opts.neg_ttl or opts.ttl or 0
  end
  return opts.ttl or 0
end

local function store(key, value, ttl)
  local now, now_epoch = clock()
  local ok, err = write(key, value, ttl, KEEP_S)
  if ok then
    own(key, now, now_epoch)
    keep(key, value, ttl == 0 and 0 or now + ttl * 1000)
  end
  return ok, err
end

-- What the callback says: value, error, ttl
local function call(cb, ...)
  local ok, value, err, ttl = pcall(cb, ...)
  if not ok then
    return nil, "callback threw an error: " .. tostring(value)
  end
  if err ~= nil then
    return nil, tostring(err)
  end
  if ttl ~= nil and type(ttl) ~= "number" then
    return nil, "bad third return value from callback: ttl must be a number"
  end
  return value, nil, ttl
end

-- The lock is held: value, error, level
local function make(key, opts, is_stale, stale, cb, ...)
  local value, err, ttl = call(cb, ...)
  if err then
    local again = opts.resurrect_ttl or RESURRECT_S
    if not is_stale or again == 0 then
      return nil, err
    end
    warn("callback returned an error (" .. err .. ") but stale value found in the cache: it serves for another " ..
         again .. " seconds")
    store(key, stale, again)
    return stale, nil, 4
  end
  if ttl and ttl < 0 then
    return value, nil, 3
  end
  local ok, failure = store(key, value, lasting(opts, value, ttl))
  if not ok then
    if failure ~= "no memory" and failure ~= "value too large" then
      return nil, failure
    end
    warn("cannot keep a value of kong.cache: " .. failure)
  end
  return value, nil, 3
end

local function get(key, opts, cb, ...)
  local node = own(key, clock())
  if node then
    return node.value, nil, 1
  end
  local found, value, has_expired = fetch(key)
  if found and not has_expired then
    return value, nil, 2
  end
  if not found and value then
    return nil, value
  end
  if cb == nil then
    return nil, nil, -1
  end
  local token, err = take_lock(key)
  if not token and err then
    if has_expired then
      return value, nil, 4
    end
    return nil, err
  end
  found, value, has_expired = fetch(key)
  if found and not has_expired then
    if token then
      release(key, token)
    end
    return value, nil, 2
  end
  if not token then
    return nil, "the value was dropped before it could be read"
  end
  local level
  value, err, level = make(key, opts, found, value, cb, ...)
  release(key, token)
  return value, err, level
end

function M:get(key, opts, cb, ...)
  check_key(key)
  opts = check_options(opts, 3)
  if cb ~= nil and type(cb) ~= "function" then
    error("callback must be nil or a function", 2)
  end
  local value, err, level = get(key, opts, cb, ...)
  if err then
    return nil, FAILED .. err
  end
  return value, nil, level
end

function M:get_bulk(bulk, opts)
  if type(bulk) ~= "table" then
    error("bulk must be a table", 2)
  end
  if type(bulk.n) ~= "number" then
    error("bulk must have n field", 2)
  end
  check_options(opts, 3)
  local res = { n = bulk.n * 3 }
  for i = 1, bulk.n do
    local at = (i - 1) * 4
    local key, cb = bulk[at + 1], bulk[at + 3]
    if type(key) ~= "string" then
      error("key at index " .. at + 1 .. " must be a string for operation " .. i, 2)
    end
    if cb ~= nil and type(cb) ~= "function" then
      error("callback at index " .. at + 3 .. " must be nil or a function for operation " .. i, 2)
    end
    local value, err, level = get(key, check_options(bulk[at + 2] or opts, 3), cb, bulk[at + 4])
    res[i * 3 - 2], res[i * 3 - 1], res[i * 3] = value, err, level
  end
  return res
end

function M:probe(key)
  check_key(key)
  local expires, ttl, value = read(key)
  if not expires then
    if ttl then
      return nil, "failed to probe from node cache: " .. ttl
    end
    return nil
  end
  if expires == 0 then
    return 0, nil, value
  end
  local left = expires - clock()
  if left <= 0 then
    return nil
  end
  return left / 1000, nil, value
end

function M:renew(key, opts, cb, ...)
  check_key(key)
  opts = check_options(opts, 3)
  if type(cb) ~= "function" then
    error("callback must be a function", 2)
  end
  local token, err = take_lock(key, true)
  if not token then
    return nil, FAILED .. err
  end
  local value, ttl
  value, err, ttl = call(cb, ...)
  if not err then
    ttl = lasting(opts, value, ttl)
    if ttl >= 0 then
      local _
      outdate()
      _, err = store(key, value, ttl)
      outdate()
    end
  end
  release(key, token)
  if err then
    return nil, FAILED .. err
  end
  return value, nil, ttl
end

function M:safe_set(key, value, ttl, neg_ttl)
  check_key(key)
  local opts = check_options({ ttl = ttl, neg_ttl = neg_ttl }, 3)
  local ok, err = write(key, value, lasting(opts, value), KEEP_S)
  outdate()
  if not ok then
    return nil, err
  end
  return true
end

function M:invalidate_local(key)
  check_key(key)
  local ok, err = drop(key)
  if not ok then
    warn("failed to delete entity from node cache: " .. err)
  end
end

M.invalidate = M.invalidate_local

return M
