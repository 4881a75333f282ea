-- SPDX-License-Identifier: Apache-2.0
-- Checks of claims for resty.jwt: functions (value, claim, jwt) that return true, or false and why.
local format, find, time, type = string.format, string.find, ngx.time, type
local M = {}
local leeway, clock = 0, time

function M.set_system_leeway(seconds)
  leeway = seconds
end

function M.set_system_clock(f)
  clock = f
end

-- name and opt_name: the latter takes an absent claim.
local function define(name, make)
  M[name] = function(...)
    local check = make(...)
    return function(value, claim, jwt)
      if value == nil then
        return false, format("'%s' claim is required.", claim)
      end
      return check(value, claim, jwt)
    end
  end
  M["opt_" .. name] = function(...)
    local check = make(...)
    return function(value, claim, jwt)
      if value == nil then
        return true
      end
      return check(value, claim, jwt)
    end
  end
end

local function failure(claim, value)
  return false, format("Claim '%s' ('%s') returned failure", claim, tostring(value))
end

function M.required()
  return function(value, claim)
    if value == nil then
      return false, format("'%s' claim is required.", claim)
    end
    return true
  end
end

define("equals", function(want)
  return function(value, claim)
    if value ~= want then
      return failure(claim, value)
    end
    return true
  end
end)

define("matches", function(pattern)
  return function(value, claim)
    if type(value) ~= "string" or not find(value, pattern) then
      return failure(claim, value)
    end
    return true
  end
end)

define("equals_any_of", function(wanted)
  return function(value, claim)
    for _, want in ipairs(wanted) do
      if value == want then
        return true
      end
    end
    return failure(claim, value)
  end
end)

define("contains_any_of", function(wanted)
  return function(value, claim)
    for _, v in ipairs(type(value) == "table" and value or { value }) do
      for _, want in ipairs(wanted) do
        if v == want then
          return true
        end
      end
    end
    return failure(claim, value)
  end
end)

define("is_not_expired", function()
  return function(value, claim)
    if type(value) ~= "number" then
      return false, format("'%s' claim must be a number.", claim)
    elseif clock() - leeway >= value then
      return false, format("'%s' claim expired at %s", claim, ngx.http_time(value))
    end
    return true
  end
end)

define("is_not_before", function()
  return function(value, claim)
    if type(value) ~= "number" then
      return false, format("'%s' claim must be a number.", claim)
    elseif clock() + leeway < value then
      return false, format("'%s' claim not valid until %s", claim, ngx.http_time(value))
    end
    return true
  end
end)

return M
