-- SPDX-License-Identifier: Apache-2.0
-- HTTP/1 as resty.http speaks it (RFC 9112): requests into bytes, bytes into responses.  All
-- that comes in is bounded.
local C = ...
local new_headers = C.part("resty.http_headers").new
local find, format, gsub, lower, match, sub, upper = string.find, string.format, string.gsub, string.lower, string.match,
  string.sub, string.upper
local concat, ipairs, pairs, tonumber, tostring, type = table.concat, ipairs, pairs, tonumber, tostring, type
local encode_args = ngx.encode_args

local HEADER_BYTES_MAX = 256 * 1024
local HEADERS_MAX = 1000
local LINE_MAX = 8192
local CHUNK = 65536
local DEFAULT_PORTS = { http = 80, https = 443 }

local wire = {}

-- "scheme://host:port/path?query" → a table of its parts; nil and why.
function wire.parse_uri(uri, is_query_in_path)
  if type(uri) ~= "string" then
    return nil, "uri is not a string"
  end
  local scheme, rest = match(uri, "^(%a+)://(.*)$")
  if not scheme and sub(uri, 1, 2) == "//" then
    scheme, rest = "http", sub(uri, 3)
  end
  scheme = scheme and lower(scheme)
  if not DEFAULT_PORTS[scheme] then
    return nil, "bad uri: " .. uri
  end
  local authority, target = match(rest, "^([^/?#]*)([^#]*)")
  local host, port = match(authority, "^(%[[%x:.]+%]):?(%d*)$")
  if not host then
    host, port = match(authority, "^([^:@%[%]]+):?(%d*)$")
  end
  if not host or find(host, "[%s%c]") then
    return nil, "bad uri: " .. uri
  end
  port = port ~= "" and tonumber(port) or DEFAULT_PORTS[scheme]
  if port > 65535 then
    return nil, "bad uri: " .. uri
  end
  local path, query = match(target, "^([^?]*)[?]?(.*)$")
  path = path == "" and "/" or path
  if is_query_in_path and query ~= "" then
    path, query = path .. "?" .. query, ""
  end
  return { scheme, host, port, path, query }
end

-- Bytes that would end a line are refused: a plugin's value must not become a field.
local function is_clean(text)
  return not find(text, "[%z\r\n]")
end

local function add_field(out, name, value)
  name, value = tostring(name), tostring(value)
  if not find(name, "^[%w!#$%%&'*+.^_`|~-]+$") or not is_clean(value) then
    return nil, "invalid header: " .. gsub(sub(name, 1, 80), "[%c]", "?")
  end
  out[#out + 1] = name .. ": " .. value .. "\r\n"
  return true
end

local function add_fields(out, headers)
  for name, value in pairs(headers) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      local ok, err = add_field(out, name, one)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

local function target_of(params)
  local path, query = params.path or "/", params.query
  if type(query) == "table" then
    query = encode_args(query)
  end
  if query and query ~= "" then
    path = path .. (sub(query, 1, 1) == "?" and "" or "?") .. query
  end
  if path == "" or find(path, "[%s%c]") then
    return nil, "invalid path"
  end
  return path
end

-- The head of a request; headers is a table of resty.http_headers; prefix: in front of its path, for a proxy.
function wire.request_head(params, headers, prefix)
  local method = upper(params.method or "GET")
  local target, err = target_of(params)
  if not target then
    return nil, err
  end
  if not find(method, "^[%w!#$%%&'*+.^_`|~-]+$") then
    return nil, "invalid method"
  end
  local out = { method, " ", (prefix or "") .. target, params.version == 1.0 and " HTTP/1.0\r\n" or " HTTP/1.1\r\n" }
  local ok
  ok, err = add_fields(out, headers)
  if not ok then
    return nil, err
  end
  out[#out + 1] = "\r\n"
  return concat(out)
end

-- name → value into headers; of a name that comes again an array.
local function add_received(headers, name, value)
  local there = headers[name]
  if there == nil then
    headers[name] = value
  elseif type(there) == "table" then
    there[#there + 1] = value
  else
    headers[name] = { there, value }
  end
end

-- A line of at most so many bytes, without its end.
local function read_line(sock, limit)
  local line, err = sock:receiveuntil("\n")(limit + 1)
  if not line then
    return nil, err
  end
  if #line > limit then
    return nil, "response headers too large"
  end
  return (gsub(line, "\r$", ""))
end

function wire.read_headers(sock)
  local headers, bytes, n = new_headers(), 0, 0
  while true do
    local line, err = read_line(sock, HEADER_BYTES_MAX - bytes)
    if not line then
      return nil, err
    end
    if line == "" then
      return headers
    end
    bytes, n = bytes + #line, n + 1
    if n > HEADERS_MAX then
      return nil, "response headers too large"
    end
    local name, value = match(line, "^([^%s:]+):[ \t]*(.-)[ \t]*$")
    if not name or find(value, "[%z\r]") then
      return nil, "malformed header in response"
    end
    add_received(headers, name, value)
  end
end

-- The final response's status line and fields; 100 and its like are passed over.
function wire.read_head(sock, is_continue_wanted)
  for _ = 1, 16 do
    local line, err = read_line(sock, LINE_MAX)
    if not line then
      return nil, err
    end
    local minor, status, reason = match(line, "^HTTP/1%.(%d) (%d%d%d) ?(.*)$")
    if not minor then
      return nil, "couldn't parse HTTP status line: " .. gsub(sub(line, 1, 80), "[%c]", "?")
    end
    local headers
    headers, err = wire.read_headers(sock)
    if not headers then
      return nil, err
    end
    status = tonumber(status)
    if status >= 200 or status == 101 or (status == 100 and is_continue_wanted) then
      return { minor = tonumber(minor), status = status, reason = reason, headers = headers }
    end
  end
  return nil, "too many interim responses"
end

local function has_token(value, token)
  for _, one in ipairs(type(value) == "table" and value or { value }) do
    if find("," .. gsub(lower(one), "%s", "") .. ",", "," .. token .. ",", 1, true) then
      return true
    end
  end
  return false
end
wire.has_token = has_token

-- How the body ends: "none", "chunked", "close", or its length; nil and why.
function wire.framing(method, head)
  local status, headers = head.status, head.headers
  if method == "HEAD" or status < 200 or status == 204 or status == 304 then
    return "none"
  end
  local coding, length = headers["Transfer-Encoding"], headers["Content-Length"]
  if coding then
    return has_token(coding, "chunked") and "chunked" or "close", length ~= nil
  end
  if not length then
    return "close"
  end
  for _, one in ipairs(type(length) == "table" and length or {}) do
    if one ~= length[1] then
      return nil, "conflicting Content-Length fields"
    end
  end
  length = type(length) == "table" and length[1] or length
  if not find(length, "^%d+$") or #length > 15 then
    return nil, "malformed Content-Length"
  end
  return tonumber(length)
end

-- Each reader gives the next piece, of at most max bytes; nil at the end; nil and why.
local function length_reader(sock, length, done)
  local left = length
  return function(max)
    if left == 0 then
      return nil
    end
    local n = max and max < left and max or (left < CHUNK and left or CHUNK)
    local piece, err, partial = sock:receive(n)
    if not piece then
      return nil, err, partial
    end
    left = left - #piece
    if left == 0 then
      done()
    end
    return piece
  end
end

local function close_reader(sock, done)
  local is_over
  return function(max)
    if is_over then
      return nil
    end
    local piece, err = sock:receiveany(max or CHUNK)
    if piece then
      return piece
    end
    is_over = true
    if err ~= "closed" then
      return nil, err
    end
    done()
    return nil
  end
end

-- The size of the next chunk; nil and why.
local function chunk_size(sock)
  local line, err = read_line(sock, LINE_MAX)
  if not line then
    return nil, err
  end
  local digits = match(line, "^(%x+)[ \t]*$") or match(line, "^(%x+)[ \t]*;")
  if not digits or #digits > 12 then
    return nil, "unable to read chunksize"
  end
  return tonumber(digits, 16)
end

local function chunked_reader(sock, response, done)
  local left, is_over = 0, false
  local function next_chunk()
    local size, err = chunk_size(sock)
    if not size then
      return nil, err
    end
    if size == 0 then
      is_over = true
      response.trailers, err = wire.read_headers(sock)
      if not response.trailers then
        return nil, err
      end
      done()
    end
    left = size
    return true
  end
  return function(max)
    if is_over then
      return nil
    end
    if left == 0 then
      local ok, err = next_chunk()
      if not ok or is_over then
        return nil, err
      end
    end
    local n = max and max < left and max or (left < CHUNK and left or CHUNK)
    local piece, err = sock:receive(n)
    if not piece then
      return nil, err
    end
    left = left - n
    if left == 0 then
      local tail
      tail, err = read_line(sock, LINE_MAX)
      if tail ~= "" then
        return nil, err or "malformed chunk in response"
      end
    end
    return piece
  end
end

function wire.body_reader(sock, framing, response, done)
  if framing == "chunked" then
    return chunked_reader(sock, response, done)
  end
  if framing == "close" then
    return close_reader(sock, done)
  end
  return length_reader(sock, framing, done)
end

-- A body given as string, array of strings, or function that gives pieces.
function wire.send_body(sock, body, is_chunked)
  if type(body) ~= "function" then
    return sock:send(body)
  end
  while true do
    local piece, err = body()
    if err then
      return nil, err
    end
    if piece == nil then
      break
    end
    if piece ~= "" then
      local ok
      ok, err = sock:send(is_chunked and { format("%x\r\n", #piece), piece, "\r\n" } or piece)
      if not ok then
        return nil, err
      end
    end
  end
  return is_chunked and sock:send("0\r\n\r\n") or true
end

wire.DEFAULT_PORTS = DEFAULT_PORTS
return wire
