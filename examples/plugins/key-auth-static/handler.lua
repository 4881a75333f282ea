-- Lets requests through that present one of the configured keys.
local KeyAuth = {
  PRIORITY = 1250,
  VERSION = "1.0.0",
}

local function find_key(conf)
  for _, name in ipairs(conf.key_names) do
    local key = kong.request.get_header(name)
    if key then
      return key
    end
    key = kong.request.get_query_arg(name)
    if type(key) == "string" then
      return key, name
    end
  end
end

local function refuse(message)
  return kong.response.exit(401, { message = message }, { ["WWW-Authenticate"] = "Key" })
end

function KeyAuth:access(conf)
  if not conf.run_on_preflight and kong.request.get_method() == "OPTIONS" then
    return
  end
  local key, argument = find_key(conf)
  if not key then
    return refuse("No API key found in request")
  end
  local owner = conf.keys[key]
  if not owner then
    return refuse("Unauthorized")
  end
  kong.service.request.set_header("X-Consumer-Username", owner)
  if conf.hide_credentials then
    for _, name in ipairs(conf.key_names) do
      kong.service.request.clear_header(name)
    end
    if argument then
      kong.service.request.clear_query_arg(argument)
    end
  end
end

return KeyAuth
