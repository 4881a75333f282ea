-- At most `limit` requests per window and client, counted over all workers of the node.
local RateLimiter = {
  PRIORITY = 910,
  VERSION = "1.0.0",
}

local function client_of(conf)
  if conf.limit_by == "header" then
    return kong.request.get_header(conf.header_name)
  elseif conf.limit_by == "service" then
    return "everyone"
  end
  return kong.client.get_forwarded_ip()
end

function RateLimiter:access(conf)
  local now = ngx.now()
  local window = math.floor(now / conf.window_size)
  local reset = math.ceil((window + 1) * conf.window_size - now)

  -- A header may be of any length, a counter's name may not.
  local client = ngx.md5(client_of(conf) or "nobody")
  local name = kong.plugin.get_id() .. ":" .. window .. ":" .. client
  local count, err = sluice.counter(name):incr(1, conf.window_size * 2)
  if not count then
    kong.log.err("cannot count: ", err)
    return
  end

  local headers = {
    ["RateLimit-Limit"] = conf.limit,
    ["RateLimit-Remaining"] = math.max(0, conf.limit - count),
    ["RateLimit-Reset"] = reset,
  }
  if count > conf.limit then
    headers["Retry-After"] = reset
    return kong.response.exit(429, { message = "API rate limit exceeded" }, headers)
  end
  kong.ctx.plugin.headers = headers
end

function RateLimiter:header_filter()
  local headers = kong.ctx.plugin.headers
  if headers then
    kong.response.set_headers(headers)
  end
end

return RateLimiter
