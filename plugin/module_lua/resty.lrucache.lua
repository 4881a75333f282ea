-- SPDX-License-Identifier: Apache-2.0
-- A least-recently-used cache of this plugin version in this worker.
local error, now, setmetatable, type = error, ngx.now, setmetatable, type
local M = { _VERSION = "0.13" }
local CACHE = { __index = M, __metatable = false }
local SIZE_MAX = 1000000

function M.new(size)
  if type(size) ~= "number" or size < 1 or size > SIZE_MAX then
    return nil, "size too small"
  end
  local head = {}
  head.next, head.prev = head, head
  return setmetatable({ nodes = {}, head = head, size = size, n = 0 }, CACHE)
end

local function unlink(node)
  node.prev.next, node.next.prev = node.next, node.prev
end

local function to_front(head, node)
  node.next, node.prev = head.next, head
  head.next.prev, head.next = node, node
end

local function check(self)
  if type(self) ~= "table" or type(self.nodes) ~= "table" then
    error("not a cache object", 3)
  end
end

-- value, nil, flags; of an expired one: nil, value, flags.
function M:get(key)
  check(self)
  local node = self.nodes[key]
  if not node then
    return nil
  end
  unlink(node)
  to_front(self.head, node)
  if node.expires and node.expires < now() then
    return nil, node.value, node.flags
  end
  return node.value, nil, node.flags
end

function M:delete(key)
  check(self)
  local node = self.nodes[key]
  if not node then
    return false
  end
  unlink(node)
  self.nodes[key], self.n = nil, self.n - 1
  return true
end

function M:set(key, value, ttl, flags)
  check(self)
  local node = self.nodes[key]
  if node then
    unlink(node)
  else
    if self.n >= self.size then
      self:delete(self.head.prev.key)
    end
    node = { key = key }
    self.nodes[key], self.n = node, self.n + 1
  end
  node.value, node.flags = value, type(flags) == "number" and flags or 0
  node.expires = ttl and now() + ttl or nil
  to_front(self.head, node)
end

function M:count()
  check(self)
  return self.n
end

function M:capacity()
  check(self)
  return self.size
end

function M:get_keys(max, out)
  check(self)
  out = out or {}
  local node, n = self.head.next, 0
  while node ~= self.head and not (max and max > 0 and n >= max) do
    n = n + 1
    out[n] = node.key
    node = node.next
  end
  out[n + 1] = nil
  return out
end

function M:flush_all()
  check(self)
  local head = self.head
  head.next, head.prev = head, head
  self.nodes, self.n = {}, 0
end

return M
