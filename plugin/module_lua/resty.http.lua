-- SPDX-License-Identifier: Apache-2.0
-- An HTTP/1.1 client over ngx.socket: connections, requests, bodies in pieces or whole.
local C = ...
local proxy = C.part("_http_proxy")
local wire = C.part("_http_wire")
local new_headers = C.part("resty.http_headers").new
local concat, error, ipairs, pairs, setmetatable, tonumber, tostring, type = table.concat, error, ipairs, pairs, setmetatable,
  tonumber, tostring, type
local find, format, gsub, lower, upper = string.find, string.format, string.gsub, string.lower, string.upper

local tcp = ngx.socket.tcp
local BODY_MAX = 8 * 1024 * 1024

local http = { _VERSION = "0.17" }
local USER_AGENT = "sluice-resty-http/" .. http._VERSION
local methods = {}
local meta = { __index = methods, __metatable = false }

function http.new()
  return setmetatable({ sock = tcp(), keepalive = true, max_body_size = BODY_MAX }, meta)
end

function methods:set_timeout(ms)
  self.sock:settimeout(ms)
  return true
end

function methods:set_timeouts(connect_ms, send_ms, read_ms)
  self.sock:settimeouts(connect_ms, send_ms, read_ms)
  return true
end

-- The most that read_body() takes; 8 MB unless told.
function methods:set_max_body_size(bytes)
  self.max_body_size = tonumber(bytes) or BODY_MAX
end

function methods.parse_uri(_, uri, is_query_in_path)
  if is_query_in_path == nil then
    is_query_in_path = true
  end
  return wire.parse_uri(uri, is_query_in_path)
end

-- http_proxy, https_proxy: URIs; …_authorization; no_proxy: hosts and domains, comma-separated.
function methods:set_proxy_options(options)
  self.proxy_opts = type(options) == "table" and options or nil
end

function methods:get_proxy_uri(scheme, host)
  return (proxy.choose(self.proxy_opts, scheme, host))
end

local function bare(host)
  return (gsub(host, "^%[(.*)%]$", "%1"))
end

-- Connections that differ in any of this are not the same.
local function pool_name(scheme, o, port, is_verified, via, authorization)
  return concat({ scheme or "", o.host, tostring(port), tostring(is_verified), o.ssl_server_name or "", via or "",
    via and authorization or "" }, ":")
end

-- To the host, or to a proxy on the way there; nil and why.
local function dial(self, o, scheme, port, is_verified)
  local options = o.proxy_opts or self.proxy_opts
  local via, authorization = proxy.choose(options, scheme or "http", bare(o.host))
  local host, at = bare(o.host), port
  local target = find(o.host, "^[^%[].*:") and "[" .. o.host .. "]" or o.host
  self.prefix, self.proxy_authorization = nil, nil
  if via then
    if find(target, "[%s%c]") then
      return nil, "bad host name"
    end
    host, at = proxy.address(via)
    if not host then
      return nil, at
    end
  end
  local ok, err = self.sock:connect(bare(host), at,
    { pool = o.pool or pool_name(scheme, o, port, is_verified, via, authorization), pool_size = o.pool_size })
  if not ok or not via then
    return ok, err
  end
  if scheme ~= "https" then
    self.prefix = concat({ "http://", target, ":", tostring(port) })
    self.proxy_authorization = authorization
    return true
  end
  if self.sock:getreusedtimes() == 0 then
    return proxy.tunnel(self.sock, target, port, authorization)
  end
  return true
end

local function connect_with(self, o)
  local scheme = o.scheme and lower(o.scheme)
  if scheme and not wire.DEFAULT_PORTS[scheme] then
    return nil, "unsupported scheme: " .. tostring(o.scheme)
  end
  local port = o.port or wire.DEFAULT_PORTS[scheme or "http"]
  local is_verified = scheme == "https" and o.ssl_verify ~= false
  self.host, self.port, self.scheme, self.keepalive, self.is_busy = o.host, port, scheme, true, false
  self.pending = 0
  local ok, err = dial(self, o, scheme, port, is_verified)
  if not ok then
    self.sock:close()
    return nil, err
  end
  if scheme ~= "https" then
    return true
  end
  ok, err = self.sock:sslhandshake(nil, o.ssl_server_name or bare(o.host), is_verified)
  if not ok then
    self.sock:close()
    return nil, err
  end
  return true
end

-- connect{ scheme =, host =, port =, … } or connect(host, port, { pool =, … }).
function methods:connect(options, port, more)
  if type(options) == "table" then
    if type(options.host) ~= "string" then
      return nil, "no host given"
    end
    return connect_with(self, options)
  end
  local o = { host = options, port = port }
  for k, v in pairs(type(more) == "table" and more or {}) do
    if k == "pool" or k == "pool_size" then
      o[k] = v
    end
  end
  return connect_with(self, o)
end

function methods:ssl_handshake(_, name, is_verified)
  self.scheme = "https"
  return self.sock:sslhandshake(nil, name or bare(self.host or ""), is_verified ~= false)
end

function methods:set_keepalive(...)
  if self.keepalive and not self.is_busy and (self.pending or 0) == 0 then
    return self.sock:setkeepalive(...)
  end
  self.sock:close()
  return 2, "connection must be closed"
end

function methods:get_reused_times()
  return self.sock:getreusedtimes()
end

function methods:close()
  return self.sock:close()
end

-- The fields of a request: the caller's, and what HTTP needs.
local function fields_of(self, params)
  local fields = new_headers()
  for name, value in pairs(params.headers or {}) do
    fields[name] = value
  end
  if not fields["Host"] then
    local is_usual = self.port == wire.DEFAULT_PORTS[self.scheme or "http"]
    fields["Host"] = is_usual and self.host or format("%s:%d", self.host or "", self.port or 0)
  end
  fields["User-Agent"] = fields["User-Agent"] or USER_AGENT
  if self.proxy_authorization then
    fields["Proxy-Authorization"] = self.proxy_authorization
  end
  if params.version == 1.0 and not fields["Connection"] then
    fields["Connection"] = "Keep-Alive"
  end
  return fields
end

local function body_length(body)
  if type(body) == "string" then
    return #body
  end
  local n = 0
  for _, piece in ipairs(body) do
    n = n + #tostring(piece)
  end
  return n
end

-- Is the body to be sent in chunks?
local function frame_body(fields, params)
  local body = params.body
  if body == nil then
    local method = upper(params.method or "GET")
    if (method == "POST" or method == "PUT" or method == "PATCH") and not fields["Transfer-Encoding"] then
      fields["Content-Length"] = fields["Content-Length"] or 0
    end
    return false
  end
  if type(body) == "string" or type(body) == "table" then
    fields["Transfer-Encoding"] = nil
    fields["Content-Length"] = body_length(body)
    return false
  end
  if fields["Content-Length"] then
    return false
  end
  if params.version == 1.0 then
    return nil, "a body of unknown length needs HTTP 1.1"
  end
  fields["Transfer-Encoding"] = "chunked"
  return true
end

local function read_body(response)
  local reader = response.body_reader
  local parts, bytes = {}, 0
  while true do
    local piece, err = reader(65536)
    if piece then
      parts[#parts + 1] = piece
      bytes = bytes + #piece
      if bytes > response.client.max_body_size then
        response.client.sock:close()
        return nil, "response body too large", ""
      end
    elseif err then
      return nil, err, concat(parts)
    else
      return concat(parts)
    end
  end
end

local response_methods = {
  read_body = function(self)
    return read_body(self)
  end,
  read_trailers = function(self)
    for name, value in pairs(self.trailers or {}) do
      self.headers[name] = value
    end
    return self.trailers
  end,
}
local response_meta = { __index = response_methods, __metatable = false }

local function must_close(head)
  local connection = head.headers["Connection"]
  if connection and wire.has_token(connection, "close") then
    return true
  end
  return head.minor == 0 and not (connection and wire.has_token(connection, "keep-alive"))
end

local function no_reader()
  return nil
end

local function response_of(self, head, method)
  local framing, err = wire.framing(method, head)
  if not framing then
    return nil, err
  end
  local response = setmetatable({ status = head.status, reason = head.reason, headers = head.headers, client = self,
    has_body = framing ~= "none", body_reader = no_reader }, response_meta)
  if framing == "close" or head.status == 101 or must_close(head) or err then
    self.keepalive = false
  end
  self.is_busy = response.has_body and framing ~= 0
  if self.is_busy then
    response.body_reader = wire.body_reader(self.sock, framing, response, function()
      self.is_busy = false
    end)
  end
  return response
end

function methods:read_response(params)
  self.pending = self.pending and self.pending > 0 and self.pending - 1 or 0
  local head, err = wire.read_head(self.sock)
  if not head then
    return nil, err
  end
  return response_of(self, head, upper(params.method or "GET"))
end

-- is_piped: others of its pipeline are on their way.
local function send_request(self, params, is_piped)
  local fields = fields_of(self, params)
  local is_chunked, err = frame_body(fields, params)
  if is_chunked == nil then
    return nil, err
  end
  local head
  head, err = wire.request_head(params, fields, self.prefix)
  if not head then
    return nil, err
  end
  local is_awaited = params.body ~= nil and fields["Expect"] and lower(tostring(fields["Expect"])) == "100-continue"
  local is_small = type(params.body) == "string" and not is_awaited
  if (self.is_busy or (self.pending or 0) > 0) and not is_piped then
    return nil, "the response before this request has not been read"
  end
  if fields["Connection"] and wire.has_token(fields["Connection"], "close") then
    self.keepalive = false
  end
  -- until its response is read: what comes late must not answer another request
  self.is_busy = true
  self.pending = (self.pending or 0) + 1
  local ok
  ok, err = self.sock:send(is_small and head .. params.body or head)
  if not ok then
    return nil, err
  end
  if is_awaited then
    local interim
    interim, err = wire.read_head(self.sock, true)
    if not interim then
      return nil, err
    end
    if interim.status ~= 100 then
      -- the body was not wanted, and will not follow
      self.keepalive = false
      self.pending = self.pending - 1
      return response_of(self, interim, upper(params.method or "GET"))
    end
  end
  if params.body ~= nil and not is_small then
    ok, err = wire.send_body(self.sock, params.body, is_chunked)
    if not ok then
      return nil, err
    end
  end
  return true
end

function methods:send_request(params)
  return send_request(self, params)
end

function methods:request(params)
  params = params or {}
  local sent, err = self:send_request(params)
  if not sent then
    return nil, err
  end
  if sent ~= true then
    return sent
  end
  return self:read_response(params)
end

-- A response of a pipeline: read when it is first looked at, behind all of that before it.
local function piped_response(self, pipe, i, params)
  local is_read, response, err = false, nil, nil
  return setmetatable({}, { __metatable = false, __index = function(_, key)
    if not is_read then
      is_read = true
      if pipe.next == i and (i == 1 or not self.is_busy) then
        pipe.next = i + 1
        response, err = self:read_response(params)
      else
        self.keepalive = false
        err = "the response before this one has not been read"
      end
    end
    if response then
      return response[key]
    end
    return key == "err" and err or nil
  end })
end

-- All requests at once, then the responses, in their order: each is read, with its body, before the next one.
function methods:request_pipeline(requests)
  for i, params in ipairs(requests) do
    if params.headers and params.headers["Expect"] == "100-continue" then
      return nil, "Cannot pipeline request specifying Expect: 100-continue"
    end
    local ok, err = send_request(self, params, i > 1)
    if not ok then
      return nil, err
    end
  end
  local pipe, responses = { next = 1 }, {}
  for i, params in ipairs(requests) do
    responses[i] = piped_response(self, pipe, i, params)
  end
  return responses
end

local function request_uri(self, uri, params)
  local parts, err = wire.parse_uri(uri, false)
  if not parts then
    return nil, err
  end
  local o = { scheme = parts[1], host = parts[2], port = parts[3], pool = params.keepalive_pool_name,
    pool_size = params.keepalive_pool, proxy_opts = params.proxy_opts, ssl_verify = params.ssl_verify, ssl_server_name = params.ssl_server_name }
  local ok
  ok, err = connect_with(self, o)
  if not ok then
    return nil, err
  end
  local request = {}
  for k, v in pairs(params) do
    request[k] = v
  end
  request.path = params.path or parts[4]
  request.query = params.query or parts[5]
  local response
  response, err = self:request(request)
  if response then
    response.body, err = read_body(response)
  end
  if not response or not response.body then
    self.sock:close()
    return nil, err or "no body"
  end
  if params.keepalive == false then
    self.sock:close()
  else
    self:set_keepalive(params.keepalive_timeout, params.keepalive_pool)
  end
  return response
end

-- As request_uri(), recorded as a span.
local function traced(self, uri, params)
  local agent = params.headers and params.headers["User-Agent"] or USER_AGENT
  local span = kong.tracing.start_span("kong.internal.request", { span_kind = 3, attributes = {
    ["http.url"] = uri, ["http.method"] = upper(params.method or "GET"), ["http.flavor"] = tostring(params.version or "1.1"),
    ["http.user_agent"] = tostring(agent),
  } })
  local response, err = request_uri(self, uri, params)
  if response then
    span:set_attribute("http.status_code", response.status)
  else
    span:record_error(tostring(err))
    span:set_status(2)
  end
  span:finish()
  return response, err
end

function methods:request_uri(uri, params)
  params = params or {}
  if C.traces_http() then
    return traced(self, uri, params)
  end
  return request_uri(self, uri, params)
end

-- The client's body in one piece: it is read whole here.
function methods.get_client_body_reader()
  local body = kong.request.get_raw_body()
  return function()
    local piece = body
    body = nil
    return piece ~= "" and piece or nil
  end
end

-- The client's request as it came, to where this is connected.
function methods:proxy_request()
  return self:request({ method = ngx.req.get_method(), path = ngx.var.request_uri, headers = ngx.req.get_headers(0),
    body = self:get_client_body_reader() })
end

local HOP_BY_HOP = { connection = true, ["keep-alive"] = true, ["proxy-authenticate"] = true, ["proxy-authorization"] = true,
  te = true, trailers = true, ["transfer-encoding"] = true, upgrade = true, ["content-length"] = true }

-- The response as the answer to the client.
function methods.proxy_response(_, response)
  if not response then
    return nil, "no response provided"
  end
  local headers = {}
  for name, value in pairs(response.headers) do
    if not HOP_BY_HOP[lower(name)] then
      headers[name] = value
    end
  end
  local body, err = "", nil
  if response.has_body then
    body, err = response:read_body()
    if not body then
      return nil, err
    end
  end
  return kong.response.exit(response.status, body, headers)
end

http.parse_uri = methods.parse_uri
return http
