-- Gives each request an id that the service, and on demand the client, sees.
local CorrelationId = {
  PRIORITY = 100001,
  VERSION = "1.0.0",
}

local function make(conf)
  if conf.generator == "counter" then
    -- Per worker: enough to tell the requests of one log apart.
    CorrelationId.count = (CorrelationId.count or 0) + 1
    return kong.node.get_id() .. "#" .. CorrelationId.count
  end
  return kong.request.get_id()
end

function CorrelationId:access(conf)
  local id = kong.request.get_header(conf.header_name)
  if not id or id == "" then
    id = make(conf)
    kong.service.request.set_header(conf.header_name, id)
  end
  kong.ctx.plugin.id = id
end

function CorrelationId:header_filter(conf)
  if conf.echo_downstream and kong.ctx.plugin.id then
    kong.response.set_header(conf.header_name, kong.ctx.plugin.id)
  end
end

return CorrelationId
