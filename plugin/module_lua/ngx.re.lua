-- SPDX-License-Identifier: Apache-2.0
-- ngx.re.split: pieces of a string between matches of a regular expression.
local error, max, sub, type = error, math.max, string.sub, type
local match = ngx.re.match
local M = { version = "1.0" }

-- The engine's limits are fixed here.
function M.opt(name)
  if type(name) ~= "string" then
    error("bad argument #1 to 'opt' (string expected)", 2)
  end
end

function M.split(s, regex, options, ctx, limit, out)
  if type(s) ~= "string" then
    return nil, "not a string"
  end
  out, limit = out or {}, limit or 0
  local at, from, n = ctx and ctx.pos or 1, ctx and ctx.pos or 1, 0
  while at <= #s and (limit <= 0 or n + 1 < limit) do
    local place = { pos = at }
    local captures, err = match(s, regex, options or "", place)
    if err then
      return nil, err
    end
    if not captures then
      break
    end
    local last = place.pos - 1
    local first = last - #captures[0] + 1
    if last < first then
      -- an empty match cuts between two characters
      if first > #s then
        break
      end
      first, last = max(first, at + 1), max(first, at + 1) - 1
      if first > #s then
        break
      end
    end
    n = n + 1
    out[#out + 1] = sub(s, from, first - 1)
    for i = 1, #captures do
      out[#out + 1] = captures[i] or ""
    end
    from, at = last + 1, last + 1
  end
  if not (from > #s and n > 0 and limit > 0 and n >= limit) then
    out[#out + 1] = sub(s, from)
  end
  return out
end

return M
