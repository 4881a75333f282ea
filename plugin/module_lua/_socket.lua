-- SPDX-License-Identifier: Apache-2.0
-- ngx.socket.*: streams and datagrams over the host's connections.  What came in and is not yet
-- asked for is kept here, so that it counts as this plugin's memory.
local C = ...
local find, sub, gsub, byte, format = string.find, string.sub, string.gsub, string.byte, string.format
local concat, type, error, tonumber, tostring = table.concat, type, error, tonumber, tostring
local setmetatable, select, floor, max_of = setmetatable, select, math.floor, math.max

local TIMEOUT_MS = 60000
local CHUNK = 65536
local LINE_MAX = 8 * 1024 * 1024
local POOL_SIZE = 30

local tcp, udp = {}, {}
local tcp_meta, udp_meta = { __index = tcp, __metatable = false }, { __index = udp, __metatable = false }

local function timeout_of(ms)
  ms = tonumber(ms)
  return ms and ms > 0 and ms or TIMEOUT_MS
end

-- The host's number for a socket; nil and the reason when there is none to have.
local function open(self)
  if self.id then
    return self.id
  end
  local id, err = C.net_open(self.is_datagram)
  self.id = id
  return id, err
end

local function no_data(self)
  self.buf, self.pos = "", 1
end

local function drop(self)
  if self.id then
    C.net_close(self.id)
    self.id = nil
  end
end

local function port_of(port)
  local n = tonumber(port)
  if not n or n ~= floor(n) or n < 0 or n > 65535 then
    error("bad port number: " .. tostring(port), 3)
  end
  return n
end

local function check_phase()
  local bad = C.net_check()
  if bad then
    error(bad, 3)
  end
end

-- One string of a send() argument; nested arrays are flattened.
local function flatten(v, out, depth)
  local t = type(v)
  if t == "string" or t == "number" then
    out[#out + 1] = v
  elseif t == "boolean" or t == "nil" then
    out[#out + 1] = tostring(v)
  elseif t == "table" and depth < 50 then
    for i = 1, #v do
      flatten(v[i], out, depth + 1)
    end
  else
    error("bad argument #1 to 'send' (string, number, boolean, nil, or array table expected, got " .. t .. ")", 3)
  end
  return out
end

local function text_of(v)
  if type(v) == "string" then
    return v
  end
  return concat(flatten(v, {}, 0))
end

function tcp:settimeout(ms)
  ms = timeout_of(ms)
  self.connect_ms, self.send_ms, self.read_ms = ms, ms, ms
end

function tcp:settimeouts(connect_ms, send_ms, read_ms)
  self.connect_ms, self.send_ms, self.read_ms = timeout_of(connect_ms), timeout_of(send_ms), timeout_of(read_ms)
end

-- Blames the caller of the function that calls this.
local function check_host(host)
  if type(host) ~= "string" then
    error("bad argument #1 to 'connect' (string expected, got " .. type(host) .. ")", 3)
  end
end

function tcp:connect(host, port, options)
  check_phase()
  check_host(host)
  if sub(host, 1, 5) == "unix:" then
    return nil, "egress to " .. host .. " denied by plugin_egress"
  end
  port = port_of(port)
  local id, err = open(self)
  if not id then
    return nil, err
  end
  no_data(self)
  options = type(options) == "table" and options or {}
  self.pool = type(options.pool) == "string" and options.pool or host .. ":" .. format("%d", port)
  self.pool_size = tonumber(options.pool_size) or POOL_SIZE
  return C.net_connect(id, host, port, self.connect_ms, self.pool)
end

function tcp:sslhandshake(_, name, is_verified)
  if not self.id then
    return nil, "closed"
  end
  if self.pos <= #self.buf then
    -- it came in the clear, and must not be taken for what TLS protects
    drop(self)
    return nil, "unread data before the handshake"
  end
  local ok, err = C.net_handshake(self.id, type(name) == "string" and name or "", is_verified and true or false, self.connect_ms)
  if not ok then
    return nil, err
  end
  return true
end

function tcp:send(data)
  if not self.id then
    return nil, "closed"
  end
  local text = text_of(data)
  local from, n = 1, #text
  while from <= n do
    local sent, err = C.net_send(self.id, text, from, self.send_ms)
    if not sent then
      return nil, err
    end
    from = from + sent
  end
  return n
end

-- One more piece behind what is there.
local function fill(self)
  if not self.id then
    return nil, "closed"
  end
  local piece, err = C.net_receive(self.id, CHUNK, self.read_ms)
  if not piece then
    return nil, err
  end
  local buf, pos = self.buf, self.pos
  self.buf = pos > #buf and piece or sub(buf, pos) .. piece
  self.pos = 1
  return true
end

-- All that is there, as far as n bytes.
local function take(self, n)
  local text = sub(self.buf, self.pos, self.pos + n - 1)
  self.pos = self.pos + #text
  if self.pos > #self.buf then
    no_data(self)
  end
  return text
end

local function receive_bytes(self, n)
  local parts, have = {}, 0
  while true do
    local piece = take(self, n - have)
    if piece ~= "" then
      parts[#parts + 1] = piece
      have = have + #piece
    end
    if have == n then
      return concat(parts)
    end
    local ok, err = fill(self)
    if not ok then
      return nil, err, concat(parts)
    end
  end
end

local function receive_all(self)
  local parts = {}
  while true do
    local piece = take(self, #self.buf)
    if piece ~= "" then
      parts[#parts + 1] = piece
    end
    local ok, err = fill(self)
    if not ok then
      local text = concat(parts)
      if err == "closed" then
        return text
      end
      return nil, err, text
    end
  end
end

local function receive_line(self)
  local parts, n = {}, 0
  while true do
    local at = find(self.buf, "\n", self.pos, true)
    local piece = take(self, at and at - self.pos + 1 or #self.buf)
    parts[#parts + 1] = piece
    n = n + #piece
    if at then
      return (gsub(sub(concat(parts), 1, -2), "\r", ""))
    end
    if n > LINE_MAX then
      drop(self)
      return nil, "line too long", ""
    end
    local ok, err = fill(self)
    if not ok then
      return nil, err, (gsub(concat(parts), "\r", ""))
    end
  end
end

function tcp:receive(what)
  if what == nil or what == "*l" then
    return receive_line(self)
  end
  if what == "*a" then
    return receive_all(self)
  end
  local n = tonumber(what)
  if not n then
    error("bad argument #1 to 'receive' (bad pattern argument)", 2)
  end
  if n < 0 then
    error("bad argument #1 to 'receive' (bad number argument)", 2)
  end
  return receive_bytes(self, floor(n))
end

function tcp:receiveany(max)
  max = tonumber(max)
  if not max or max <= 0 then
    error("bad argument #1 to 'receiveany' (bad max argument)", 2)
  end
  if self.pos > #self.buf then
    local ok, err = fill(self)
    if not ok then
      return nil, err, ""
    end
  end
  return take(self, floor(max))
end

-- Up to the mark, or `size` bytes of what comes before it; the mark may lie across pieces.
local function until_mark(self, state, size)
  local mark = state.mark
  local parts, n = {}, 0
  while true do
    local first = find(self.buf, mark, self.pos, true)
    -- without a mark, its first bytes may be at the end
    local sure = first and first - self.pos or max_of(#self.buf - self.pos + 1 - (#mark - 1), 0)
    local want = size and size - n < sure and size - n or sure
    parts[#parts + 1] = take(self, want)
    n = n + want
    if size and n == size then
      return concat(parts)
    end
    if first then
      take(self, #mark)
      state.is_over = true
      local text = concat(parts)
      return state.is_inclusive and text .. mark or text
    end
    local ok, err = fill(self)
    if not ok then
      parts[#parts + 1] = take(self, #self.buf)
      return nil, err, concat(parts)
    end
  end
end

function tcp:receiveuntil(mark, options)
  mark = type(mark) == "number" and tostring(mark) or mark
  if type(mark) ~= "string" or mark == "" then
    error("bad argument #1 to 'receiveuntil' (pattern is empty)", 2)
  end
  local state = { mark = mark, is_inclusive = type(options) == "table" and options.inclusive }
  return function(size)
    if state.is_over then
      state.is_over = nil
      if size then
        return nil, nil, nil
      end
    end
    if size ~= nil and not (tonumber(size) and tonumber(size) > 0) then
      error("bad argument #1 to iterator (bad size argument)", 2)
    end
    local text, err, partial = until_mark(self, state, size and floor(tonumber(size)))
    if not size then
      state.is_over = nil
    end
    if text then
      return text
    end
    return nil, err, partial
  end
end

function tcp:close()
  if not self.id or not C.net_is_open(self.id) then
    drop(self)
    return nil, "closed"
  end
  local busy = C.net_busy(self.id)
  if busy then
    return nil, busy
  end
  drop(self)
  no_data(self)
  return 1
end

function tcp:setkeepalive(idle_ms, size)
  if not self.id or not C.net_is_open(self.id) then
    return nil, "closed"
  end
  local busy = C.net_busy(self.id)
  if busy then
    return nil, busy
  end
  if self.pos <= #self.buf then
    return nil, "unread data in buffer"
  end
  idle_ms = tonumber(idle_ms)
  size = tonumber(size) or self.pool_size
  if size <= 0 then
    error("bad argument #2 to 'setkeepalive' (bad \"pool_size\" option value)", 2)
  end
  local ok, err = C.net_keep(self.id, self.pool, idle_ms and idle_ms >= 0 and idle_ms or TIMEOUT_MS, size)
  drop(self)
  if not ok then
    return nil, err
  end
  return 1
end

function tcp:getreusedtimes()
  if not self.id or not C.net_is_open(self.id) then
    return nil, "closed"
  end
  return C.net_reused(self.id)
end

-- The host's sockets have no delay and live no longer than their use.
function tcp:setoption()
  return true
end

function tcp:setclientcert()
  return nil, "client certificates of sockets are not supported"
end

local function new(meta, is_datagram)
  return setmetatable({ is_datagram = is_datagram, buf = "", pos = 1, pool_size = POOL_SIZE,
    connect_ms = TIMEOUT_MS, send_ms = TIMEOUT_MS, read_ms = TIMEOUT_MS }, meta)
end

-- Datagrams: one for each send, one for each receive.
function udp:settimeout(ms)
  self.read_ms = timeout_of(ms)
end

function udp:setpeername(host, port)
  check_phase()
  if type(host) ~= "string" then
    error("bad argument #1 to 'setpeername' (string expected, got " .. type(host) .. ")", 2)
  end
  if sub(host, 1, 5) == "unix:" then
    return nil, "egress to " .. host .. " denied by plugin_egress"
  end
  port = port_of(port)
  local id, err = open(self)
  if not id then
    return nil, err
  end
  return C.net_connect(id, host, port, self.read_ms, "")
end

function udp:send(data)
  if not self.id then
    return nil, "closed"
  end
  local text = text_of(data)
  local sent, err = C.net_send(self.id, text, 1, self.read_ms)
  if not sent then
    return nil, err
  end
  return 1
end

function udp:receive(size)
  if not self.id then
    return nil, "closed"
  end
  size = tonumber(size)
  return C.net_receive(self.id, size and size > 0 and size < CHUNK and floor(size) or CHUNK, self.read_ms)
end

function udp:close()
  if not self.id then
    return nil, "closed"
  end
  local busy = C.net_busy(self.id)
  if busy then
    return nil, busy
  end
  drop(self)
  return 1
end

local socket = {}

function socket.tcp()
  check_phase()
  return new(tcp_meta, false)
end
socket.stream = socket.tcp

function socket.udp()
  check_phase()
  return new(udp_meta, true)
end

function socket.connect(host, ...)
  check_phase()
  check_host(host)
  local self = new(tcp_meta, false)
  local ok, err = self:connect(host, ...)
  if not ok then
    return nil, err
  end
  return self
end

return socket
