-- Refuses clients by their User-Agent: those that are denied and not allowed.
local BotDetection = {
  PRIORITY = 2500,
  VERSION = "1.0.0",
}

local known_bots = [[(?:curl-scanner|sqlmap|nikto|masscan|zgrab|python-requests/0|ahrefsbot|semrushbot|mj12bot)]]

local function matches(agent, patterns)
  for _, pattern in ipairs(patterns) do
    if ngx.re.find(agent, pattern, "ijo") then
      return true
    end
  end
  return false
end

function BotDetection:access(conf)
  local agent = kong.request.get_header("User-Agent")
  if not agent then
    return kong.response.exit(400, { message = "Bad Request" })
  end
  if matches(agent, conf.allow) then
    return
  end
  if matches(agent, conf.deny) or matches(agent, { known_bots }) then
    return kong.response.exit(403, { message = "Forbidden" })
  end
end

return BotDetection
