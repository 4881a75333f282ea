-- SPDX-License-Identifier: Apache-2.0
-- Object identifiers: names and numbers of algorithms, attributes and extensions.
local object, type = (...).object, type
local M = {}

function M.txt2nid(text)
  if type(text) ~= "string" then
    return nil, "objects.txt2nid: expect a string at #1"
  end
  local o = object(text)
  return o and o.nid or 0
end

function M.nid2table(nid)
  if type(nid) ~= "number" then
    return nil, "objects.nid2table: expect a number at #1"
  end
  local o = object(nid)
  if not o then
    return nil, "objects.nid2table: unknown nid"
  end
  return o
end

function M.txtnid2nid(v)
  if type(v) == "string" then
    return M.txt2nid(v)
  elseif type(v) == "number" then
    return v
  end
  return nil, "objects.txtnid2nid: expect string or number at #1"
end

return M
