-- Answers instead of the service.
local RequestTermination = {
  PRIORITY = 2,
  VERSION = "1.0.0",
}

function RequestTermination:access(conf)
  if conf.trigger and not kong.request.get_header(conf.trigger) then
    return
  end
  if conf.body then
    return kong.response.exit(conf.status_code, conf.body, { ["Content-Type"] = conf.content_type })
  end
  return kong.response.exit(conf.status_code, { message = conf.message })
end

return RequestTermination
