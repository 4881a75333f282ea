-- Lets a request with the right key through and tells the service who asked.
local Key = { PRIORITY = 1000, VERSION = "1.0.0" }

function Key:access(conf)
  local key = kong.request.get_header("x-api-key")
  if key ~= conf.key then
    return kong.response.exit(401, { message = "Unauthorized" })
  end
  kong.service.request.set_header("X-Consumer", conf.consumer)
  kong.service.request.clear_header("x-api-key")
end

return Key
