-- Answers preflight requests and marks responses for other origins (fetch.spec.whatwg.org).
local Cors = {
  PRIORITY = 2000,
  VERSION = "1.0.0",
}

-- The origin to allow, and whether it is one of several.
local function allowed_origin(conf)
  if #conf.origins == 0 or (conf.origins[1] == "*" and not conf.credentials) then
    return "*", false
  end
  local origin = kong.request.get_header("Origin")
  for _, known in ipairs(conf.origins) do
    if known == "*" or known == origin then
      return origin, true
    end
  end
  return nil, true
end

local function set_origin(conf)
  local origin, varies = allowed_origin(conf)
  if varies then
    kong.response.add_header("Vary", "Origin")
  end
  if not origin then
    return false
  end
  kong.response.set_header("Access-Control-Allow-Origin", origin)
  if conf.credentials then
    kong.response.set_header("Access-Control-Allow-Credentials", "true")
  end
  return true
end

function Cors:access(conf)
  local is_preflight = kong.request.get_method() == "OPTIONS" and kong.request.get_header("Origin")
    and kong.request.get_header("Access-Control-Request-Method")
  if not is_preflight or conf.preflight_continue then
    return
  end
  kong.ctx.plugin.is_preflight = true
  if set_origin(conf) then
    local headers = #conf.headers > 0 and table.concat(conf.headers, ",")
      or kong.request.get_header("Access-Control-Request-Headers")
    kong.response.set_header("Access-Control-Allow-Methods", table.concat(conf.methods, ","))
    if headers then
      kong.response.set_header("Access-Control-Allow-Headers", headers)
    end
    if conf.max_age then
      kong.response.set_header("Access-Control-Max-Age", tostring(conf.max_age))
    end
  end
  return kong.response.exit(200)
end

function Cors:header_filter(conf)
  if kong.ctx.plugin.is_preflight or not kong.request.get_header("Origin") then
    return
  end
  if set_origin(conf) and #conf.exposed_headers > 0 then
    kong.response.set_header("Access-Control-Expose-Headers", table.concat(conf.exposed_headers, ","))
  end
end

return Cors
