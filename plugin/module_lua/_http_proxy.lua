-- SPDX-License-Identifier: Apache-2.0
-- Forward proxies of resty.http: which one, and tunnels through it (RFC 9110, section 9.3.6).
local C = ...
local wire = C.part("_http_wire")
local find, gmatch, lower, sub = string.find, string.gmatch, string.lower, string.sub
local concat, tostring, type = table.concat, tostring, type

local proxy = {}

-- Is the host, or a domain that it is in, in the list?
local function is_direct(list, host)
  if type(list) ~= "string" then
    return false
  end
  host = lower(host)
  for entry in gmatch(lower(list), "[^,%s]+") do
    local domain = sub(entry, 1, 1) == "." and entry or "." .. entry
    if entry == "*" or sub("." .. host, -#domain) == domain then
      return true
    end
  end
  return false
end

-- The URI of the proxy for a scheme and host, and its credentials; nil: none.
function proxy.choose(options, scheme, host)
  if type(options) ~= "table" or is_direct(options.no_proxy, host) then
    return nil
  end
  local name = scheme == "https" and "https_proxy" or "http_proxy"
  return options[name], options[name .. "_authorization"]
end

-- host and port of the proxy; nil and why.
function proxy.address(uri)
  local parts, err = wire.parse_uri(uri)
  if not parts then
    return nil, "invalid proxy uri: " .. tostring(err)
  end
  if parts[1] ~= "http" then
    return nil, "protocol " .. parts[1] .. " not supported for proxy connections"
  end
  return parts[2], parts[3]
end

-- From here on the connection is one to host and port.
function proxy.tunnel(sock, host, port, authorization)
  local target = host .. ":" .. tostring(port)
  if authorization and find(tostring(authorization), "[%z\r\n]") then
    return nil, "invalid header: Proxy-Authorization"
  end
  local ok, err = sock:send(concat({ "CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n",
    authorization and "Proxy-Authorization: " .. tostring(authorization) .. "\r\n" or "", "\r\n" }))
  if not ok then
    return nil, err
  end
  local head
  head, err = wire.read_head(sock)
  if not head then
    return nil, "failed to establish a tunnel through a proxy: " .. err
  end
  if head.status < 200 or head.status > 299 then
    return nil, "failed to establish a tunnel through a proxy: " .. head.status
  end
  return true
end

return proxy
