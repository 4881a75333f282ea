-- SPDX-License-Identifier: Apache-2.0
-- A client of Redis (RESP2) over ngx.socket.tcp. Replies are bounded: what is larger closes the connection, which is out of
-- step then.
local concat, find, format, lower, unpack = table.concat, string.find, string.format, string.lower, unpack
local pairs, select, setmetatable, sub, tonumber, tostring, type = pairs, select, setmetatable, string.sub, tonumber, tostring, type
local ngx, null = ngx, ngx.null

local REPLY_MAX = 8 * 1024 * 1024 -- bytes of one reply, with all that is in it
local VALUES_MAX = 131072
local DEPTH_MAX = 16

local M = { _VERSION = "0.30" }

-- What makes a connection a stream of messages.
local STREAMS = {}
for name in ("subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor sync psync"):gmatch("%S+") do
  STREAMS[name] = name .. " is not supported: a plugin lives as long as its request, and messages would be lost in between; use a list or a stream"
end

local function encode(...)
  local n = select("#", ...)
  local out = { "*" .. n .. "\r\n" }
  for i = 1, n do
    local text = select(i, ...)
    text = type(text) == "string" and text or tostring(text)
    out[i + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n"
  end
  return concat(out)
end

local function fail(self, err)
  self.sock:close()
  return nil, err
end

local function charge(room, n, values)
  room.bytes, room.values = room.bytes - n, room.values - values
  return room.bytes >= 0 and room.values >= 0
end

local read

local function read_bulk(self, n, room)
  if n < 0 then
    return null
  end
  if not charge(room, n, 0) then
    return fail(self, "reply too large")
  end
  local text, err = self.sock:receive(n)
  if not text then
    return fail(self, err)
  end
  local tail, why = self.sock:receive(2)
  if tail ~= "\r\n" then
    return fail(self, why or "bad reply: a string without its end")
  end
  return text
end

local function read_array(self, n, room, depth)
  if n < 0 then
    return null
  end
  if depth > DEPTH_MAX or not charge(room, 0, n) then
    return fail(self, "reply too large")
  end
  local values = {}
  for i = 1, n do
    local value, err = read(self, room, depth + 1)
    if value == nil then
      return nil, err
    end
    values[i] = value == false and { false, err } or value
  end
  return values
end

-- A value; false and the server's error; nil and what failed.
function read(self, room, depth)
  local line, err = self.sock:receive()
  if not line then
    return fail(self, err)
  end
  if not charge(room, #line, 1) then
    return fail(self, "reply too large")
  end
  local kind, rest = sub(line, 1, 1), sub(line, 2)
  if kind == "+" then
    return rest
  elseif kind == "-" then
    return false, rest
  end
  local n = find(rest, "^[+-]?%d+$") and tonumber(rest)
  if not n then
    return fail(self, "bad reply: " .. format("%q", sub(line, 1, 40)))
  elseif kind == ":" then
    return n
  elseif kind == "$" then
    return read_bulk(self, n, room)
  elseif kind == "*" then
    return read_array(self, n, room, depth)
  end
  return fail(self, "unknown prefix: " .. format("%q", kind))
end

local function read_reply(self)
  return read(self, { bytes = REPLY_MAX, values = VALUES_MAX }, 1)
end

local function command(self, ...)
  local text = encode(...)
  if self.requests then
    self.requests[#self.requests + 1] = text
    return
  end
  local sent, err = self.sock:send(text)
  if not sent then
    return nil, err
  end
  return read_reply(self)
end

-- hmset(key, { field = value }) besides hmset(key, field, value, …)
local function hmset(self, key, ...)
  local fields = ...
  if select("#", ...) ~= 1 or type(fields) ~= "table" then
    return command(self, "hmset", key, ...)
  end
  local list, n = {}, 0
  for field, value in pairs(fields) do
    list[n + 1], list[n + 2] = field, value
    n = n + 2
  end
  return command(self, "hmset", key, unpack(list, 1, n))
end

local function find_command(_, name)
  if M[name] ~= nil then
    return M[name]
  end
  if type(name) ~= "string" then
    return nil
  end
  local low = lower(name)
  if low == "hmset" then
    return hmset
  elseif STREAMS[low] then
    return function()
      return nil, STREAMS[low]
    end
  end
  return function(client, ...)
    return command(client, low, ...)
  end
end

local meta = { __index = find_command, __metatable = false }

function M.new()
  local socket = ngx.socket
  if not socket or not socket.tcp then
    return nil, "there are no sockets: resty.redis needs untrusted_lua: lax"
  end
  local sock, err = socket.tcp()
  if not sock then
    return nil, err
  end
  return setmetatable({ sock = sock, requests = false }, meta)
end

function M:set_timeout(ms)
  self.sock:settimeout(ms)
end

function M:set_timeouts(connect_ms, send_ms, read_ms)
  self.sock:settimeouts(connect_ms, send_ms, read_ms)
end

-- options: pool, pool_size, ssl, ssl_verify, server_name
function M:connect(host, port, options)
  if type(port) == "table" then
    port, options = nil, port
  end
  options = type(options) == "table" and options or {}
  local name = options.server_name or host
  local pool = options.pool
  if not pool and options.ssl then
    pool = concat({ tostring(host), tostring(port or 6379), "ssl", tostring(name), tostring(options.ssl_verify) }, ":")
  end
  self.requests = false
  local ok, err = self.sock:connect(host, port or 6379, { pool = pool, pool_size = options.pool_size })
  if ok and options.ssl then
    ok, err = self.sock:sslhandshake(nil, name, options.ssl_verify)
  end
  if not ok then
    return nil, err
  end
  return 1
end

function M:set_keepalive(...)
  self.requests = false
  return self.sock:setkeepalive(...)
end

function M:get_reused_times()
  return self.sock:getreusedtimes()
end

function M:close()
  self.requests = false
  return self.sock:close()
end

function M:init_pipeline()
  self.requests = {}
end

function M:cancel_pipeline()
  self.requests = false
end

-- The replies in the order of the commands; { false, error } for one that failed.
function M:commit_pipeline()
  local requests = self.requests
  if not requests then
    return nil, "no pipeline"
  end
  self.requests = false
  local sent, err = self.sock:send(requests)
  if not sent then
    return nil, err
  end
  local replies = {}
  for i = 1, #requests do
    local reply, why = read_reply(self)
    if reply == nil then
      return nil, why
    end
    replies[i] = reply == false and { false, why } or reply
  end
  return replies
end

-- Of a reply of pairs: { field = value }.
function M.array_to_hash(_, reply)
  local hash = {}
  for i = 1, #reply, 2 do
    hash[reply[i]] = reply[i + 1]
  end
  return hash
end

function M.read_reply()
  return nil, STREAMS.subscribe
end

-- Every name is a command.
function M.add_commands() end

return M
