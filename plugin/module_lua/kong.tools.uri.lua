-- SPDX-License-Identifier: Apache-2.0
-- Percent-encoding and normal forms of paths.
local byte, char, concat, find, format, gsub = string.byte, string.char, table.concat, string.find, string.format, string.gsub
local tonumber, upper = tonumber, string.upper
local M = {}

-- Of the percent-encoded, only unreserved characters are decoded (RFC 3986, 6.2.2).
local function decode(h)
  local c = char(tonumber(h, 16))
  return find(c, "[%w%-%._~]") and c or "%" .. upper(h)
end

function M.normalize(uri, merges_slashes)
  uri = gsub(uri, "%%(%x%x)", decode)
  if merges_slashes then
    uri = gsub(uri, "//+", "/")
  end
  if not find(uri, ".", 1, true) then
    return uri
  end
  local out, last = {}, nil
  for part in (uri .. "/"):gmatch("(.-)/") do
    last = part
    if part == ".." then
      if #out > 1 then
        out[#out] = nil
      end
    elseif part ~= "." then
      out[#out + 1] = part
    end
  end
  if last == "." or last == ".." then
    out[#out + 1] = ""
  end
  local path = concat(out, "/")
  return path == "" and "/" or path
end

-- Escapes what no URI may hold; an escape that is there stays.
function M.escape(uri)
  return (gsub(uri, "[^!#$&'()*+,/:;=?@%[%]A-Za-z0-9%-_.~%%]", function(c)
    return format("%%%02X", byte(c))
  end))
end

return M
