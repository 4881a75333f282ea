-- SPDX-License-Identifier: Apache-2.0
-- Tables that are used again: fetch(pool, array size, hash size), release(pool, table).
local clear, new = require("table.clear"), require("table.new")
local error, type = error, type
local POOLED_MAX, POOLS_MAX = 200, 100
local pools, n_pools = {}, 0
local M = { _VERSION = "0.03" }

function M.fetch(name, n_array, n_hash)
  if type(name) ~= "string" then
    error("bad argument #1 to 'fetch' (string expected)", 2)
  end
  local pool = pools[name]
  local n = pool and #pool or 0
  if n == 0 then
    return new(n_array or 4, n_hash or 4)
  end
  local t = pool[n]
  pool[n] = nil
  return t
end

function M.release(name, t, is_not_cleared)
  if type(t) ~= "table" then
    error("object empty", 2)
  end
  local pool = pools[name]
  if not pool then
    if n_pools == POOLS_MAX then
      return
    end
    pool, n_pools = {}, n_pools + 1
    pools[name] = pool
  end
  if not is_not_cleared then
    clear(t)
  end
  if #pool < POOLED_MAX then
    pool[#pool + 1] = t
  end
end

return M
