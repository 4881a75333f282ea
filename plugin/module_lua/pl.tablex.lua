-- SPDX-License-Identifier: Apache-2.0
-- Tables: Penlight's tablex.
local error, getmetatable, ipairs, pairs, select = error, getmetatable, ipairs, pairs, select
local setmetatable, sort, type = setmetatable, table.sort, type
local M = {}

local function check(n, t)
  if type(t) ~= "table" then
    error("argument " .. n .. " expected a 'table' got a '" .. type(t) .. "'", 3)
  end
end

function M.size(t)
  check(1, t)
  local n = 0
  for _ in pairs(t) do
    n = n + 1
  end
  return n
end

function M.update(to, from)
  check(1, to)
  check(2, from)
  for k, v in pairs(from) do
    to[k] = v
  end
  return to
end

function M.copy(t)
  check(1, t)
  return M.update({}, t)
end

local function deep(v, seen)
  if type(v) ~= "table" then
    return v
  end
  if seen[v] then
    return seen[v]
  end
  local copy = {}
  seen[v] = copy
  for key, value in pairs(v) do
    copy[deep(key, seen)] = deep(value, seen)
  end
  local mt = getmetatable(v)
  return type(mt) == "table" and setmetatable(copy, mt) or copy
end

function M.deepcopy(t)
  return deep(t, {})
end

local function compare(a, b, ignores_mt, epsilon)
  local t = type(a)
  if t ~= type(b) then
    return false
  end
  if t == "number" and epsilon then
    return a == b or (a > b and a - b or b - a) < epsilon
  end
  local mt = t == "table" and getmetatable(a)
  if t ~= "table" or (not ignores_mt and type(mt) == "table" and mt.__eq) then
    return a == b
  end
  for k in pairs(a) do
    if b[k] == nil then
      return false
    end
  end
  for k, v in pairs(b) do
    if not compare(a[k], v, ignores_mt, epsilon) then
      return false
    end
  end
  return true
end
M.deepcompare = compare

function M.keys(t)
  check(1, t)
  local list = {}
  for k in pairs(t) do
    list[#list + 1] = k
  end
  return list
end

function M.values(t)
  check(1, t)
  local list = {}
  for _, v in pairs(t) do
    list[#list + 1] = v
  end
  return list
end

function M.find(t, value, from)
  check(1, t)
  from = from or 1
  for i = from < 0 and #t + from + 1 or from, #t do
    if t[i] == value then
      return i
    end
  end
  return nil
end

function M.rfind(t, value, from)
  check(1, t)
  from = from or #t
  for i = from < 0 and #t + from + 1 or from, 1, -1 do
    if t[i] == value then
      return i
    end
  end
  return nil
end

function M.find_if(t, test, arg)
  check(1, t)
  for i = 1, #t do
    local found = test(t[i], arg)
    if found then
      return i, found
    end
  end
  return nil
end

function M.search(t, value)
  check(1, t)
  local queue, seen, at = { { t, nil } }, { [t] = true }, 1
  while queue[at] do
    local node, path = queue[at][1], queue[at][2]
    at = at + 1
    for k, v in pairs(node) do
      local name = path and path .. "." .. k or k
      if v == value then
        return name
      end
      if type(v) == "table" and not seen[v] then
        seen[v] = true
        queue[#queue + 1] = { v, name }
      end
    end
  end
  return nil
end

function M.map(f, t, ...)
  check(2, t)
  local out = {}
  for k, v in pairs(t) do
    out[k] = f(v, ...)
  end
  return out
end

function M.imap(f, t, ...)
  check(2, t)
  local out = {}
  for i = 1, #t do
    local v = f(t[i], ...)
    out[i] = v == nil and false or v
  end
  return out
end

function M.transform(f, t, ...)
  check(2, t)
  for k, v in pairs(t) do
    t[k] = f(v, ...)
  end
end

function M.map2(f, a, b, ...)
  local out = {}
  for k, v in pairs(a) do
    out[k] = f(v, b[k], ...)
  end
  return out
end

function M.reduce(f, t, memo)
  check(2, t)
  local first = 1
  if memo == nil then
    memo, first = t[1], 2
  end
  for i = first, #t do
    memo = f(memo, t[i])
  end
  return memo
end

function M.foreach(t, f, ...)
  check(1, t)
  for k, v in pairs(t) do
    f(v, k, ...)
  end
end

function M.foreachi(t, f, ...)
  check(1, t)
  for i = 1, #t do
    f(t[i], i, ...)
  end
end

function M.filter(t, test, arg)
  check(1, t)
  local out = {}
  for i = 1, #t do
    if test(t[i], arg) then
      out[#out + 1] = t[i]
    end
  end
  return out
end

function M.pairmap(f, t, ...)
  check(2, t)
  local out = {}
  for k, v in pairs(t) do
    local value, key = f(k, v, ...)
    out[key == nil and #out + 1 or key] = value
  end
  return out
end

function M.merge(a, b, is_union)
  check(1, a)
  check(2, b)
  local out = {}
  for k, v in pairs(a) do
    if is_union or b[k] ~= nil then
      out[k] = v
    end
  end
  for k, v in pairs(b) do
    if is_union or a[k] ~= nil then
      out[k] = v
    end
  end
  return out
end

function M.union(a, b)
  return M.merge(a, b, true)
end

function M.intersection(a, b)
  return M.merge(a, b, false)
end

function M.difference(a, b, is_symmetric)
  check(1, a)
  check(2, b)
  local out = {}
  for k, v in pairs(a) do
    if b[k] == nil then
      out[k] = v
    end
  end
  for k, v in pairs(is_symmetric and b or {}) do
    if a[k] == nil then
      out[k] = v
    end
  end
  return out
end

function M.makeset(t)
  check(1, t)
  local set = {}
  for _, v in ipairs(t) do
    set[v] = true
  end
  return set
end

function M.index_map(t)
  check(1, t)
  local out = {}
  for i = 1, #t do
    out[t[i]] = i
  end
  return out
end

function M.count_map(t)
  check(1, t)
  local out = {}
  for i = 1, #t do
    out[t[i]] = (out[t[i]] or 0) + 1
  end
  return out
end

function M.sub(t, first, last)
  check(1, t)
  first, last = first or 1, last or #t
  if first < 0 then
    first = #t + first + 1
  end
  if last < 0 then
    last = #t + last + 1
  end
  local out = {}
  for i = first, last <= #t and last or #t do
    out[#out + 1] = t[i]
  end
  return out
end

function M.removevalues(t, first, last)
  check(1, t)
  first, last = first or 1, last or #t
  local kept = {}
  for i = 1, #t do
    if i < first or i > last then
      kept[#kept + 1] = t[i]
    end
  end
  for i = 1, #t do
    t[i] = kept[i]
  end
  return t
end

function M.insertvalues(t, ...)
  check(1, t)
  local at, values = ...
  if select("#", ...) < 2 then
    at, values = #t + 1, at
  end
  local tail = M.sub(t, at)
  for i = 1, #values do
    t[at + i - 1] = values[i]
  end
  for i = 1, #tail do
    t[at + #values + i - 1] = tail[i]
  end
  return t
end

function M.zip(...)
  local lists, out = { ... }, {}
  for i = 1, lists[1] and #lists[1] or 0 do
    out[i] = {}
    for n = 1, #lists do
      out[i][n] = lists[n][i]
    end
  end
  return out
end

function M.range(first, last, step)
  local out = {}
  for i = first, last, step or 1 do
    out[#out + 1] = i
  end
  return out
end

function M.new(n, value)
  local out = {}
  for i = 1, n do
    out[i] = value
  end
  return out
end

function M.clear(t, from)
  check(1, t)
  for i = #t, from or 1, -1 do
    t[i] = nil
  end
end

local function iterate(t, order)
  local i = 0
  return function()
    i = i + 1
    return order[i], t[order[i]]
  end
end

function M.sort(t, less)
  local order = M.keys(t)
  sort(order, less)
  return iterate(t, order)
end

function M.sortv(t, less)
  local order = M.keys(t)
  less = less or function(a, b)
    return a < b
  end
  sort(order, function(a, b)
    return less(t[a], t[b])
  end)
  return iterate(t, order)
end

function M.compare(a, b, equal)
  if #a ~= #b then
    return false
  end
  for i = 1, #a do
    if not equal(a[i], b[i]) then
      return false
    end
  end
  return true
end

function M.readonly(t)
  return setmetatable({}, {
    __index = t,
    __newindex = function()
      error("Attempt to modify read-only table", 2)
    end,
    __metatable = false,
  })
end

return M
