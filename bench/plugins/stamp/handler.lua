-- A header to the service, one to the client.
local Stamp = { PRIORITY = 500, VERSION = "1.0.0" }

function Stamp:access(conf)
  kong.service.request.set_header("X-Gateway", conf.value)
  kong.ctx.plugin.method = kong.request.get_method()
end

function Stamp:header_filter(conf)
  kong.response.set_header("X-Stamp", conf.value)
  kong.response.set_header("X-Method", kong.ctx.plugin.method)
end

return Stamp
