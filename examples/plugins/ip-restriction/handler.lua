-- Lets clients through by their IPv4 address: those that are allowed and not denied.
local IpRestriction = {
  PRIORITY = 990,
  VERSION = "1.0.0",
}

local function number_of(ip)
  local a, b, c, d = ip:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a and ((a * 256 + b) * 256 + c) * 256 + d
end

local function is_in(ip, range)
  local network, bits = range:match("^(.-)/(%d+)$")
  local first = number_of(network or range)
  local size = 2 ^ (32 - (tonumber(bits) or 32))
  return first and math.floor(ip / size) == math.floor(first / size)
end

local function is_in_any(ip, ranges)
  for _, range in ipairs(ranges) do
    if is_in(ip, range) then
      return true
    end
  end
  return false
end

function IpRestriction:access(conf)
  local ip = number_of(kong.client.get_forwarded_ip())
  local is_denied = not ip or is_in_any(ip, conf.deny)
  if not is_denied and #conf.allow > 0 then
    is_denied = not is_in_any(ip, conf.allow)
  end
  if is_denied then
    return kong.response.exit(conf.status, { message = conf.message })
  end
end

return IpRestriction
