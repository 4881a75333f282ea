-- Sends requests that carry a header of a certain value to another path of the service.
local CanaryByHeader = {
  PRIORITY = 13,
  VERSION = "1.0.0",
}

function CanaryByHeader:access(conf)
  local value = kong.request.get_header(conf.header_name)
  local is_canary = value ~= nil and (#conf.values == 0)
  for _, wanted in ipairs(conf.values) do
    is_canary = is_canary or value == wanted
  end
  if is_canary then
    kong.service.request.set_path(conf.canary_prefix .. kong.request.get_path())
  end
  kong.ctx.plugin.is_canary = is_canary
end

function CanaryByHeader:header_filter(conf)
  kong.response.set_header("X-Canary", kong.ctx.plugin.is_canary and "true" or "false")
end

return CanaryByHeader
