-- Authenticates consumers by key: whose key it is comes from the configuration, who that is from
-- the gateway's consumers.  Plugins and conditions after it see the consumer.
local KeyAuth = {
  PRIORITY = 1250,
  VERSION = "1.0.0",
}

local function refuse(status, message)
  return kong.response.exit(status, { message = message }, { ["WWW-Authenticate"] = 'Key realm="kong"' })
end

local function find_key(conf)
  for _, name in ipairs(conf.key_names) do
    local key = kong.request.get_header(name)
    if key then
      return key, name
    end
    key = kong.request.get_query_arg(name)
    if type(key) == "string" then
      return key, name
    end
  end
end

function KeyAuth:access(conf)
  local key, name = find_key(conf)
  if not key then
    return refuse(401, "No API key found in request")
  end
  local username = conf.consumers[key]
  if not username then
    return refuse(401, "Unauthorized")
  end
  local consumer, err = kong.client.load_consumer(username, true)
  if err then
    kong.log.err("cannot load consumer ", username, ": ", err)
    return kong.response.exit(500, { message = "An unexpected error occurred" })
  end
  if not consumer then
    return refuse(401, "Unauthorized")
  end
  kong.client.authenticate(consumer, { id = ngx.md5(key) })
  kong.service.request.set_header("X-Consumer-ID", consumer.id)
  kong.service.request.set_header("X-Consumer-Username", consumer.username)
  if conf.hide_credentials then
    kong.service.request.clear_header(name)
    kong.service.request.clear_query_arg(name)
  end
end

return KeyAuth
