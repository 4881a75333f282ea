-- SPDX-License-Identifier: Apache-2.0
-- A client of name servers over ngx.socket: one question at a time, by UDP, by TCP where an answer does not fit. Ids are the
-- kernel's randomness; a datagram that answers something else is left aside until the time is up.
local C = ...
local byte, char, concat, find, format, gsub, match = string.byte, string.char, table.concat, string.find, string.format,
  string.gsub, string.match
local error, floor, rep, reverse, setmetatable, tonumber, tostring, type = error, math.floor, string.rep, string.reverse,
  setmetatable, tonumber, tostring, type
local ngx, upper = ngx, string.upper

local TIMEOUT_MS = 2000
local TRIES = 5
local FOREIGN_MAX = 128 -- datagrams of others, in one try
local MESSAGE_MAX = 65535

local M = {
  _VERSION = "0.23",
  TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16, TYPE_AAAA = 28,
  TYPE_SRV = 33, TYPE_SPF = 99,
  CLASS_IN = 1,
  SECTION_AN = 1, SECTION_NS = 2, SECTION_AR = 3,
}
local meta = { __index = M, __metatable = false }

-- A random number from 0 to 65535.
local function random_id()
  local high, low = byte(C.random(2), 1, 2)
  return high * 256 + low
end

-- Those that the node itself asks.
local function own_servers()
  local list = {}
  for host, port in string.gmatch(C.dns_servers(), "(%S+) (%d+)\n") do
    list[#list + 1] = { host, tonumber(port) }
  end
  return list
end

local function server_text(server)
  return concat({ tostring(server[1]), ":", tostring(server[2]) })
end

local function open_peer(server, timeout_ms)
  local sock, err = ngx.socket.udp()
  if not sock then
    return nil, "failed to create udp socket: " .. tostring(err)
  end
  sock:settimeout(timeout_ms)
  local ok, why = sock:setpeername(server[1], server[2])
  if not ok then
    return nil, "failed to set peer name: " .. tostring(why)
  end
  return sock
end

-- opts: nameservers (addresses, or { address, port }; the node's own where there is no list), retrans, timeout in ms,
-- no_recurse, no_random
function M.new(_, opts)
  if type(opts) ~= "table" then
    return nil, "no options table specified"
  end
  if not ngx.socket or not ngx.socket.udp then
    return nil, "there are no sockets: resty.dns.resolver needs untrusted_lua: lax"
  end
  local given = opts.nameservers
  if given == nil then
    given = own_servers()
  end
  if type(given) ~= "table" or #given == 0 then
    return nil, "no nameservers specified"
  end
  local timeout_ms = tonumber(opts.timeout) or TIMEOUT_MS
  local servers, socks = {}, {}
  for i = 1, #given do
    local server = given[i]
    servers[i] = type(server) == "table" and { server[1], server[2] or 53 } or { server, 53 }
    local sock, err = open_peer(servers[i], timeout_ms)
    if not sock then
      return nil, err
    end
    socks[i] = sock
  end
  return setmetatable({
    servers = servers, socks = socks, timeout_ms = timeout_ms,
    cur = opts.no_random and 1 or random_id() % #servers + 1,
    retrans = tonumber(opts.retrans) or TRIES, no_recurse = opts.no_recurse and true or false,
  }, meta)
end

function M:set_timeout(ms)
  if not self.socks then
    return nil, "not initialized"
  end
  self.timeout_ms = tonumber(ms) or TIMEOUT_MS
end

function M:destroy()
  for i = 1, #(self.socks or {}) do
    self.socks[i]:close()
  end
  self.socks, self.servers = nil, nil
end

local function question_of(self, name, opts)
  local kind = opts.qtype or M.TYPE_A
  if type(name) ~= "string" or type(kind) ~= "number" or kind < 0 or kind > 65535 then
    return nil, "bad name"
  end
  return C.dns_question(random_id(), name, kind, not self.no_recurse)
end

local function answers_of(message, question, opts)
  return C.dns_answers(message, question, (opts.authority_section or opts.qtype == M.TYPE_SOA) and true or false,
    opts.additional_section and true or false)
end

local function tcp_exchange(sock, server, question)
  local name = "TCP server " .. server_text(server)
  local ok, err = sock:connect(server[1], server[2], { pool = "resty.dns.resolver" })
  if not ok then
    return nil, "failed to connect to " .. name .. ": " .. err
  end
  ok, err = sock:send({ char(floor(#question / 256), #question % 256), question })
  if not ok then
    return nil, "failed to send query to " .. name .. ": " .. err
  end
  local head, why = sock:receive(2)
  if not head then
    return nil, "failed to receive the reply length field from " .. name .. ": " .. why
  end
  local high, low = byte(head, 1, 2)
  local message, broken = sock:receive(high * 256 + low)
  if not message then
    return nil, "failed to receive the reply message body from " .. name .. ": " .. broken
  end
  return message
end

local function ask_by_tcp(self, question, opts)
  local sock, err = ngx.socket.tcp()
  if not sock then
    return nil, "failed to create tcp socket: " .. tostring(err)
  end
  sock:settimeout(self.timeout_ms)
  local message, why = tcp_exchange(sock, self.servers[self.at], question)
  sock:close()
  if not message then
    return nil, why
  end
  local answers, bad = answers_of(message, question, opts)
  return answers, bad == "foreign" and "id mismatch" or bad
end

-- The answer that comes in time, whatever else does.
local function receive_answer(self, sock, question, opts)
  local deadline_ms = C.mono_ms() + self.timeout_ms
  for _ = 1, FOREIGN_MAX do
    local left_ms = deadline_ms - C.mono_ms()
    if left_ms <= 0 then
      return nil, "timeout"
    end
    sock:settimeout(left_ms)
    local message, err = sock:receive(MESSAGE_MAX)
    if not message then
      return nil, "failed to receive reply from UDP server " .. server_text(self.servers[self.at]) .. ": " .. err
    end
    local answers, why = answers_of(message, question, opts)
    if why ~= "foreign" then
      return answers, why
    end
  end
  return nil, "id mismatch"
end

local function ask(self, question, opts)
  local sock = self.socks[self.at]
  local ok, err = sock:send(question)
  if not ok then
    -- what came back for an earlier question may have ended the socket
    local server = self.servers[self.at]
    sock, err = open_peer(server, self.timeout_ms)
    if sock then
      self.socks[self.at] = sock
      ok, err = sock:send(question)
    end
    if not ok then
      return nil, "failed to send request to UDP server " .. server_text(server) .. ": " .. tostring(err)
    end
  end
  local answers, why = receive_answer(self, sock, question, opts)
  if why == "truncated" then
    return ask_by_tcp(self, question, opts)
  end
  return answers, why
end

local function next_server(self)
  self.at = self.cur
  self.cur = self.cur % #self.servers + 1
end

local function start(self, name, opts)
  if not self.socks then
    return nil, "not initialized"
  end
  return question_of(self, name, opts)
end

-- opts: qtype, authority_section, additional_section.  tries: a table that is filled with what each failed of.
function M:query(name, opts, tries)
  opts = type(opts) == "table" and opts or {}
  local question, err = start(self, name, opts)
  if not question then
    return nil, err, tries
  end
  for i = 1, self.retrans do
    next_server(self)
    local answers, why = ask(self, question, opts)
    if answers then
      return answers, nil, tries
    end
    err = why
    if tries then
      tries[i], tries[i + 1] = why, nil
    end
  end
  return nil, err, tries
end

function M:tcp_query(name, opts)
  opts = type(opts) == "table" and opts or {}
  local question, err = start(self, name, opts)
  if not question then
    return nil, err
  end
  next_server(self)
  return ask_by_tcp(self, question, opts)
end

-- FF01:0:0:0:0:0:0:101 → FF01::101: the first run of zeros.
function M.compress_ipv6_addr(address)
  local text = ngx.re.sub(address, "^(0:)+|(:0)+$|:(0:)+", "::", "jo")
  return text == "::0" and "::" or text
end

-- FF01::101 → FF01:0:0:0:0:0:0:101; anything else as it is.
function M.expand_ipv6_addr(address)
  local head, tail = match(address, "^(.-)::(.*)$")
  if not head or find(tail, "::", 1, true) then
    return address
  end
  local _, n_head = gsub(head, "[^:]+", "")
  local _, n_tail = gsub(tail, "[^:]+", "")
  if n_head + n_tail > 7 then
    return address
  end
  local zeros = rep("0", 8 - n_head - n_tail, ":")
  return (head ~= "" and head .. ":" or "") .. zeros .. (tail ~= "" and ":" .. tail or "")
end

-- The name under which an address has its PTR record.
function M.arpa_str(address)
  local bytes = C.parse_ip(address)
  if not bytes then
    error("bad argument #1 to 'arpa_str' (not an address)", 2)
  end
  if #bytes == 4 then
    local a, b, c, d = byte(bytes, 1, 4)
    return format("%d.%d.%d.%d.in-addr.arpa", d, c, b, a)
  end
  local digits = gsub(bytes, ".", function(c)
    return format("%02x", byte(c))
  end)
  digits = find(address, "%u") and upper(digits) or digits
  return gsub(reverse(digits), ".", "%0.") .. "ip6.arpa"
end

function M:reverse_query(address)
  return self:query(M.arpa_str(address), { qtype = M.TYPE_PTR })
end

return M
