-- SPDX-License-Identifier: Apache-2.0
-- Names of headers, periods and protocols.
local error, setmetatable = error, setmetatable
local LIST = {
  __metatable = false,
  __newindex = function()
    error("cannot modify a list of kong.constants", 2)
  end,
}

-- A list stays a table that # and ipairs can read.
local function list(t)
  return setmetatable(t, LIST)
end

return {
  HEADERS = {
    HOST_OVERRIDE = "X-Host-Override",
    PROXY_LATENCY = "X-Kong-Proxy-Latency",
    RESPONSE_LATENCY = "X-Kong-Response-Latency",
    ADMIN_LATENCY = "X-Kong-Admin-Latency",
    UPSTREAM_LATENCY = "X-Kong-Upstream-Latency",
    UPSTREAM_STATUS = "X-Kong-Upstream-Status",
    CONSUMER_ID = "X-Consumer-ID",
    CONSUMER_CUSTOM_ID = "X-Consumer-Custom-ID",
    CONSUMER_USERNAME = "X-Consumer-Username",
    CREDENTIAL_IDENTIFIER = "X-Credential-Identifier",
    RATELIMIT_LIMIT = "X-RateLimit-Limit",
    RATELIMIT_REMAINING = "X-RateLimit-Remaining",
    ANONYMOUS = "X-Anonymous-Consumer",
    CONSUMER_GROUPS = "X-Consumer-Groups",
    AUTHENTICATED_GROUPS = "X-Authenticated-Groups",
    FORWARDED_HOST = "X-Forwarded-Host",
    FORWARDED_PATH = "X-Forwarded-Path",
    FORWARDED_PREFIX = "X-Forwarded-Prefix",
    FORWARDED_PORT = "X-Forwarded-Port",
    FORWARDED_PROTO = "X-Forwarded-Proto",
    FORWARDED_FOR = "X-Forwarded-For",
    REAL_IP = "X-Real-IP",
    REQUEST_ID = "X-Kong-Request-Id",
    VIA = "Via",
    SERVER = "Server",
  },
  AUTHORIZATION = "authorization",
  RATELIMIT = { PERIODS = list({ "second", "minute", "hour", "day", "month", "year" }) },
  PROTOCOLS = list({ "grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss" }),
}
