-- Asks an HTTP service whether a request may pass.  It is told method, path and chosen headers:
-- 2xx lets the request through, 401 and 403 are the client's answer, all else is no answer.
local http = require "resty.http"
local sha256 = require("kong.tools.sha256").sha256_hex

local Authorizer = {
  PRIORITY = 1020,
  VERSION = "1.0.0",
}

local function question_of(conf)
  local headers = {
    ["X-Forwarded-Method"] = kong.request.get_method(),
    ["X-Forwarded-Path"] = kong.request.get_raw_path(),
    ["X-Forwarded-Host"] = kong.request.get_host(),
  }
  for _, name in ipairs(conf.forward_headers) do
    headers[name] = kong.request.get_header(name)
  end
  return headers
end

-- The same question has the same key, whatever is in its values.
local function key_of(conf, headers)
  local names = {}
  for name in pairs(headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  local parts = { conf.url }
  for _, name in ipairs(names) do
    local value = tostring(headers[name])
    parts[#parts + 1] = name .. ":" .. #value .. ":" .. value
  end
  return "external-authorizer:" .. kong.plugin.get_id() .. ":" .. sha256(table.concat(parts, "\n"))
end

-- What is to be kept of its answer; nil and why when it has none.
local function ask(conf, headers)
  local client = http.new()
  client:set_timeout(conf.timeout)
  client:set_max_body_size(65536)
  local res, err = client:request_uri(conf.url, { method = "POST", headers = headers, ssl_verify = conf.ssl_verify })
  if not res then
    return nil, err
  end
  if res.status == 401 or res.status == 403 then
    return { status = res.status, body = res.body, content_type = res.headers["Content-Type"],
      challenge = res.headers["WWW-Authenticate"] }
  end
  if res.status < 200 or res.status > 299 then
    return nil, "status " .. res.status
  end
  local copied = {}
  for _, name in ipairs(conf.upstream_headers) do
    copied[name] = res.headers[name]
  end
  return { status = res.status, headers = copied }
end

local function answer_for(conf)
  local headers = question_of(conf)
  if conf.cache_ttl == 0 then
    return ask(conf, headers)
  end
  return kong.cache:get(key_of(conf, headers), { ttl = conf.cache_ttl }, ask, conf, headers)
end

function Authorizer:access(conf)
  -- What only the authorizer may say is not taken from the client.
  for _, name in ipairs(conf.upstream_headers) do
    kong.service.request.clear_header(name)
  end
  local answer, err = answer_for(conf)
  if not answer then
    kong.log.err("no answer from the authorizer: ", err)
    if conf.fail_open then
      return
    end
    return kong.response.exit(503, { message = "Service unavailable" })
  end
  if answer.status >= 400 then
    return kong.response.exit(answer.status, answer.body,
      { ["Content-Type"] = answer.content_type, ["WWW-Authenticate"] = answer.challenge })
  end
  for name, value in pairs(answer.headers) do
    kong.service.request.set_header(name, value)
  end
end

return Authorizer
