-- SPDX-License-Identifier: Apache-2.0
-- Tables, as Kong's tools have them.
local getmetatable, ipairs, pairs, select = getmetatable, ipairs, pairs, select
local setmetatable, tostring, type, stock_unpack, floor = setmetatable, tostring, type, unpack, math.floor
local is_array_fast = require("table.isarray")
local M = {}

function M.pack(...)
  return { n = select("#", ...), ... }
end

function M.unpack(t, i, j)
  return stock_unpack(t, i or 1, j or t.n or #t)
end

function M.table_merge(a, b)
  local out = {}
  for k, v in pairs(a or {}) do
    out[k] = v
  end
  for k, v in pairs(b or {}) do
    out[k] = v
  end
  return out
end

function M.table_contains(t, value)
  for _, v in pairs(t or {}) do
    if v == value then
      return true
    end
  end
  return false
end

function M.is_lapis_array(t)
  if type(t) ~= "table" then
    return false
  end
  local n = 0
  for _ in pairs(t) do
    n = n + 1
    if t[n] == nil and t[tostring(n)] == nil then
      return false
    end
  end
  return true
end

local function is_sequence(t)
  local highest, n = 0, 0
  for k in pairs(t) do
    if type(k) ~= "number" or k < 1 or floor(k) ~= k then
      return false
    end
    highest, n = k > highest and k or highest, n + 1
  end
  return n == highest
end

function M.is_array(t, mode)
  if type(t) ~= "table" then
    return false
  end
  if mode == "lapis" then
    return M.is_lapis_array(t)
  end
  if mode == "fast" then
    return is_array_fast(t)
  end
  return is_sequence(t)
end

local function with_metatable(copy, original)
  local mt = getmetatable(original)
  return type(mt) == "table" and setmetatable(copy, mt) or copy
end

function M.deep_copy(v, keeps_metatables)
  if type(v) ~= "table" then
    return v
  end
  local copy = {}
  for key, value in pairs(v) do
    copy[M.deep_copy(key)] = M.deep_copy(value, keeps_metatables)
  end
  return keeps_metatables == false and copy or with_metatable(copy, v)
end

function M.shallow_copy(v)
  if type(v) ~= "table" then
    return v
  end
  return M.table_merge(v)
end

function M.deep_merge(a, b)
  local out = M.deep_copy(a)
  for k, v in pairs(b) do
    if type(v) == "table" and type(out[k]) == "table" then
      out[k] = M.deep_merge(out[k], v)
    else
      out[k] = M.deep_copy(v)
    end
  end
  return out
end

function M.cycle_aware_deep_copy(v, removes_metatables, copies_keys, seen)
  if type(v) ~= "table" then
    return v
  end
  seen = seen or {}
  if seen[v] then
    return seen[v]
  end
  local copy = {}
  seen[v] = copy
  for key, value in pairs(v) do
    if copies_keys then
      key = M.cycle_aware_deep_copy(key, removes_metatables, copies_keys, seen)
    end
    copy[key] = M.cycle_aware_deep_copy(value, removes_metatables, copies_keys, seen)
  end
  return removes_metatables and copy or with_metatable(copy, v)
end

function M.cycle_aware_deep_merge(a, b, removes_metatables, copies_keys, seen)
  seen = seen or {}
  local out = M.cycle_aware_deep_copy(a, removes_metatables, copies_keys, seen)
  for k, v in pairs(b) do
    if type(v) == "table" and type(out[k]) == "table" then
      out[k] = M.cycle_aware_deep_merge(out[k], v, removes_metatables, copies_keys, seen)
    else
      out[k] = M.cycle_aware_deep_copy(v, removes_metatables, copies_keys, seen)
    end
  end
  return out
end

function M.concat(...)
  local out = {}
  for _, list in ipairs({ ... }) do
    for _, v in ipairs(list) do
      out[#out + 1] = v
    end
  end
  return out
end

local ERROR_LIST = {}

function M.add_error(errors, key, value)
  errors = errors or {}
  local old = errors[key]
  if old == nil then
    errors[key] = value
  elseif type(old) == "table" and getmetatable(old) == ERROR_LIST then
    old[#old + 1] = value
  else
    errors[key] = setmetatable({ old, value }, ERROR_LIST)
  end
  return errors
end

local EMPTY = setmetatable({}, { __newindex = function() end, __metatable = false })
M.EMPTY = EMPTY

-- The value below nested keys, or nil as soon as one is missing.
function M.table_path(t, path)
  for _, key in ipairs(path) do
    if type(t) ~= "table" then
      return nil
    end
    t = t[key]
  end
  return t
end

return M
