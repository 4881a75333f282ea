-- SPDX-License-Identifier: Apache-2.0
-- Clocks.  update_time() is not needed here: now() is current.
local error, now, start_time, time_ns, tonumber, type = error, ngx.now, ngx.req.start_time, (...).time_ns, tonumber, type
local match, gmatch = string.match, string.gmatch
local mono_ms = (...).mono_ms
local M = { time_ns = time_ns, get_updated_monotonic_ms = mono_ms }

local SECONDS = { y = 31536000, M = 2592000, w = 604800, d = 86400, h = 3600, m = 60, s = 1 }

-- "1h30m", "90s", "90": seconds; largest unit first, each once.
function M.nginx_conf_time_to_seconds(text)
  local total, last = 0, 31536001
  if type(text) ~= "string" or not match(text, "^[%dyMwdhms ]+$") or not match(text, "^%d") then
    error("bad argument #1 'str'", 2)
  end
  for n, unit in gmatch(text, "(%d+)([yMwdhms]?) *") do
    local seconds = SECONDS[unit == "" and "s" or unit]
    if seconds >= last then
      error("bad argument #1 'str'", 2)
    end
    total, last = total + tonumber(n) * seconds, seconds
  end
  return total
end

function M.get_now_ms()
  return now() * 1000
end

M.get_updated_now_ms = M.get_now_ms

function M.get_start_time_ms()
  return start_time() * 1000
end

return M
