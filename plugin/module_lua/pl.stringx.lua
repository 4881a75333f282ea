-- SPDX-License-Identifier: Apache-2.0
-- Strings beyond string.*: the functions of Penlight's stringx that have a bounded result.
local error, find, ipairs, pairs = error, string.find, ipairs, pairs
local gsub, lower, sub, type, upper = string.gsub, string.lower, string.sub, type, string.upper
local concat, floor, rep = table.concat, math.floor, string.rep
local M = {}

local function check(n, s)
  if type(s) ~= "string" then
    error("argument " .. n .. " expected a 'string' got a '" .. type(s) .. "'", 3)
  end
end

-- A set of characters as a pattern class.
local function class(chrs)
  if chrs == nil then
    return "%s"
  end
  check(2, chrs)
  return "[" .. gsub(chrs, "%W", "%%%0") .. "]"
end

local function skip_left(s, set)
  local first = find(s, "[^" .. (set == "%s" and set or sub(set, 2, -2)) .. "]")
  return first and sub(s, first) or ""
end

local function skip_right(s, set)
  local last = #s
  while last > 0 and find(sub(s, last, last), set) do
    last = last - 1
  end
  return sub(s, 1, last)
end

function M.lstrip(s, chrs)
  check(1, s)
  return skip_left(s, class(chrs))
end

function M.rstrip(s, chrs)
  check(1, s)
  return skip_right(s, class(chrs))
end

function M.strip(s, chrs)
  check(1, s)
  local set = class(chrs)
  return skip_right(skip_left(s, set), set)
end

-- Pieces of s between separators, at most max of them; no separator: runs of white space.
function M.split(s, separator, max)
  check(1, s)
  local is_plain = separator ~= nil
  if not is_plain then
    s, separator = skip_left(s, "%s"), "%s+"
  elseif separator == "" then
    return { s }
  end
  local list, from = {}, 1
  while true do
    local first, last = find(s, separator, from, is_plain)
    if not first or (max and #list + 1 >= max) then
      break
    end
    list[#list + 1] = sub(s, from, first - 1)
    from = last + 1
  end
  if from <= #s or (is_plain and #list > 0) then
    list[#list + 1] = sub(s, from)
  end
  return list
end

function M.join(separator, list)
  check(1, separator)
  return concat(list, separator)
end

function M.splitlines(s, keep_ends)
  check(1, s)
  local lines, from = {}, 1
  while from <= #s do
    local first, last = find(s, "\r?\n", from)
    if not first then
      first, last = #s + 1, #s
    end
    lines[#lines + 1] = sub(s, from, keep_ends and last or first - 1)
    from = (last < from and #s or last) + 1
  end
  return lines
end

local function any(s, what, test)
  if type(what) == "string" then
    return test(s, what)
  end
  for _, one in ipairs(what) do
    if test(s, one) then
      return true
    end
  end
  return false
end

local function starts(s, prefix)
  return sub(s, 1, #prefix) == prefix
end

local function ends(s, suffix)
  return #s >= #suffix and sub(s, #s - #suffix + 1) == suffix
end

function M.startswith(s, prefix)
  check(1, s)
  return any(s, prefix, starts)
end

function M.endswith(s, suffix)
  check(1, s)
  return any(s, suffix, ends)
end

-- Start of the first (last) occurrence of part between the two positions, or nil.
local function find_all(s, part, from, to, is_last)
  local at, found = from or 1, nil
  while at <= #s + 1 do
    local first, last = find(s, part, at, true)
    if not first or last > (to or #s) then
      break
    end
    found = first
    if not is_last then
      break
    end
    at = first + 1
  end
  return found
end

function M.lfind(s, part, first, last)
  check(1, s)
  check(2, part)
  return find_all(s, part, first, last, false)
end

function M.rfind(s, part, first, last)
  check(1, s)
  check(2, part)
  return find_all(s, part, first, last, true)
end

function M.replace(s, old, new, max)
  check(1, s)
  check(2, old)
  check(3, new)
  return (gsub(s, (gsub(old, "%W", "%%%0")), (gsub(new, "%%", "%%%%")), max))
end

function M.count(s, part, is_overlapping)
  check(1, s)
  check(2, part)
  local n, at = 0, 1
  while part ~= "" do
    local first, last = find(s, part, at, true)
    if not first then
      break
    end
    n, at = n + 1, (is_overlapping and first or last) + 1
  end
  return n
end

local function part_at(s, at, part)
  if not at then
    return nil
  end
  return sub(s, 1, at - 1), part, sub(s, at + #part)
end

function M.partition(s, part)
  check(1, s)
  check(2, part)
  local at = find_all(s, part, 1, nil, false)
  if not at then
    return s, "", ""
  end
  return part_at(s, at, part)
end

function M.rpartition(s, part)
  check(1, s)
  check(2, part)
  local at = find_all(s, part, 1, nil, true)
  if not at then
    return "", "", s
  end
  return part_at(s, at, part)
end

function M.at(s, index)
  check(1, s)
  return sub(s, index, index)
end

local function padding(s, width, fill)
  return width > #s and rep(fill or " ", width - #s) or ""
end

function M.ljust(s, width, fill)
  check(1, s)
  return s .. padding(s, width, fill)
end

function M.rjust(s, width, fill)
  check(1, s)
  return padding(s, width, fill) .. s
end

function M.center(s, width, fill)
  check(1, s)
  local pad = padding(s, width, fill)
  local left = floor(#pad / 2)
  return sub(pad, 1, left) .. s .. sub(pad, left + 1)
end

function M.title(s)
  check(1, s)
  return (gsub(s, "(%S)(%S*)", function(first, others)
    return upper(first) .. lower(others)
  end))
end

function M.shorten(s, width, is_tail)
  check(1, s)
  if #s <= width then
    return s
  end
  if width < 3 then
    return sub("...", 1, width)
  end
  return is_tail and "..." .. sub(s, #s - width + 4) or sub(s, 1, width - 3) .. "..."
end

local CLASSES = { isalpha = "^%a+$", isdigit = "^%d+$", isalnum = "^%w+$", isspace = "^%s+$", isblank = "^%s*$" }
for name, pattern in pairs(CLASSES) do
  M[name] = function(s)
    check(1, s)
    return find(s, pattern) == 1
  end
end

function M.islower(s)
  check(1, s)
  return find(s, "%l") ~= nil and not find(s, "%u")
end

function M.isupper(s)
  check(1, s)
  return find(s, "%u") ~= nil and not find(s, "%l")
end

return M
