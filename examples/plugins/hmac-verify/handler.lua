-- Lets requests through whose date, method and path are signed with HMAC-SHA1:
--   Authorization: hmac username="ann", signature="<base64>"
--   the signature is over "date: <Date>\n<METHOD> <path and query>"
local HmacVerify = {
  PRIORITY = 1030,
  VERSION = "1.0.0",
}

local function refuse(status, message)
  return kong.response.exit(status, { message = message }, { ["WWW-Authenticate"] = "hmac" })
end

-- Takes the same time wherever the texts begin to differ.
local function is_equal(a, b)
  local difference = #a == #b and 0 or 1
  for i = 1, math.min(#a, #b) do
    difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
  end
  return difference == 0
end

function HmacVerify:access(conf)
  local header = kong.request.get_header("Authorization") or ""
  local user = header:match('username="([^"]*)"')
  local signature = header:match('signature="([^"]*)"')
  if not user or not signature then
    return refuse(401, "Unauthorized")
  end

  local date = kong.request.get_header("Date") or ""
  local sent = ngx.parse_http_time(date)
  if not sent or math.abs(ngx.time() - sent) > conf.clock_skew then
    return refuse(401, "HMAC signature cannot be verified, a valid date header is required")
  end

  local secret = conf.secrets[user]
  local text = "date: " .. date .. "\n" .. kong.request.get_method() .. " " .. kong.request.get_path_with_query()
  local expected = ngx.encode_base64(ngx.hmac_sha1(secret or "", text))
  if not is_equal(expected, signature) or not secret then
    return refuse(401, "HMAC signature does not match")
  end
  kong.service.request.set_header("X-Consumer-Username", user)
end

return HmacVerify
